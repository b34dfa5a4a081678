/** Which distribution this host runs: os-release(5). */
import { type Known, notKnown, whenKnown } from '../known.ts'
import type { Looker } from '../looker.ts'

export interface Distribution {
  /** `debian`, `alpine`, … */
  readonly id: string
  /** Others that it is like, nearest first. */
  readonly like: readonly string[]
  /** `13`; undefined for one without versions. */
  readonly version?: string
  /** For people: `Debian GNU/Linux 13 (trixie)`. */
  readonly name: string
}

export function lookAtDistribution(looker: Looker): Known<Distribution> {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    const text = looker.read(path)
    if (!text.known) return text
    if (text.value !== undefined) return whenKnown(text, () => parseOsRelease(text.value ?? ''))
  }
  return notKnown('this host has no os-release file')
}

/** @param text lines `NAME=value`, with quotes as in a shell. The first that is right for a name wins. */
export function parseOsRelease(text: string): Distribution {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^\s*([A-Z_0-9]+)=(.*?)\s*$/.exec(line) ?? []
    if (name !== '') values.set(name, unquoted(value))
  }
  const id = values.get('ID') ?? 'linux'
  const version = values.get('VERSION_ID')
  return {
    id,
    like: (values.get('ID_LIKE') ?? '').split(/\s+/).filter(Boolean),
    ...(version !== undefined && { version }),
    name: values.get('PRETTY_NAME') ?? values.get('NAME') ?? id,
  }
}

function unquoted(value: string): string {
  const [, quote = '', inner = ''] = /^(["'])(.*)\1$/.exec(value) ?? []
  if (quote === '') return value
  return quote === "'" ? inner : inner.replaceAll(/\\(["'$`\\])/g, '$1')
}
