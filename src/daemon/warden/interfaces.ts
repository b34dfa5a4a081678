/** The network interfaces of this host, and which of PCAP_INTF are missing. */
import { readFileSync } from 'node:fs'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'

/**
 * In the network namespace of this process, up or down, with or without an address. `os.networkInterfaces()` leaves out
 * those without an address.
 * @returns undefined if the system does not list them.
 */
export function interfacesOfHost(): readonly string[] | undefined {
  try {
    return parseDeviceList(readFileSync('/proc/self/net/dev', 'utf8'))
  } catch {
    return undefined
  }
}

/** @param text of /proc/net/dev: two lines of headings, then a name and a colon in each line. */
export function parseDeviceList(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? [])
}

/** A missing interface may appear later, so this only warns. */
export function absentInterfaces(
  { server: { captures }, at }: Pick<LoadedConfig, 'server' | 'at'>,
  present: readonly string[] | undefined = interfacesOfHost(),
): readonly Notice[] {
  const wanted = captures.flatMap(({ kind, interfaces }) =>
    kind === 'packet' && interfaces !== 'any' ? interfaces : [],
  )
  if (present === undefined) return []
  const absent = wanted.filter((name) => !present.includes(name))
  if (absent.length === 0) return []
  const which = absent.map((name) => `“${name}”`).join(' and ')
  const [what, it] = absent.length === 1 ? ['no interface', 'it appears'] : ['no interfaces', 'they appear']
  const all = absent.length === wanted.length
  const meanwhile = all ? 'No knock is heard' : 'Nothing is heard there'
  const location = at.PCAP_INTF
  return [
    {
      level: 'warning',
      text: `${location === undefined ? '-i' : 'PCAP_INTF'}: there is ${what} ${which} now. ${meanwhile} until ${it}. This host has: ${present.join(', ')}`,
      ...(location === undefined ? {} : { at: location }),
    },
  ]
}
