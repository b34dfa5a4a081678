/**
 * What a change of the configuration was, in lines that hold no secret. Only the values of settings that are known to
 * be none are shown: a key in a comment, or under a misspelt name, is not.
 */
import { holdsKeys, stanzaSettingNames } from '../config/access/access-setting-names.ts'
import { usedSettings } from '../config/server/fwknopd-settings.ts'

/** Besides keys. A URL may have a password in it. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['WEBHOOK_URL'])
const SHOWN: ReadonlySet<string> = new Set([...stanzaSettingNames, ...Object.keys(usedSettings)])

/** Comments of our own, with at most a line that sets an end. */
const OWN_MARK = /^# ghostport: (?:disabled|invited|old keys of|keys of node) ?[^#]{0,200}$/

export interface Change {
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** Path → text. A file that is not there has none. */
export type Texts = ReadonlyMap<string, string>

/** @returns the lines that went, and those that came, with their file where there are several. */
export function changedLines(before: Texts, after: Texts): Change {
  const files = [...new Set([...before.keys(), ...after.keys()])].sort()
  const changed = files.map((file) => ({
    file,
    ...changedIn(before.get(file) ?? '', after.get(file) ?? '', withoutSecret),
  }))
  const named = changed.filter((one) => one.before.length + one.after.length > 0)
  const lead = (file: string): string => (named.length > 1 ? `${file}: ` : '')
  return {
    before: named.flatMap(({ file, before: lines }) => lines.map((line) => lead(file) + line)),
    after: named.flatMap(({ file, after: lines }) => lines.map((line) => lead(file) + line)),
  }
}

/** The same for a text without secrets, such as rules of a firewall. */
export function changedText(before: string, after: string): Change {
  return changedIn(before, after, (line) => line)
}

/** Lines are compared whole. Their order does not count. */
function changedIn(before: string, after: string, shown: (line: string) => string): Change {
  const left = countOf(before)
  const came: string[] = []
  for (const line of linesOf(after)) {
    const count = left.get(line) ?? 0
    if (count > 0) left.set(line, count - 1)
    else came.push(line)
  }
  const went = linesOf(before).filter((line) => {
    const count = left.get(line) ?? 0
    if (count > 0) left.set(line, count - 1)
    return count > 0
  })
  return { before: went.map(shown), after: came.map(shown) }
}

function countOf(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of linesOf(text)) counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}

/** Blank lines do not count. */
function linesOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]))
}

/** @param line of a configuration file. @returns what may be shown of it. */
export function withoutSecret(line: string): string {
  const [, mark = '', name = '', value = ''] = /^\s*(#\s*)?([%A-Za-z_][A-Za-z0-9_]*)[:;\s]*(.*)$/s.exec(line) ?? []
  const upper = name.toUpperCase()
  if (OWN_MARK.test(line)) return line.trim()
  if (mark !== '' || line.trim().startsWith('#')) return '# [a comment]'
  if (holdsKeys(line) || NOT_SHOWN.has(upper)) return `${upper} [secret]`
  return SHOWN.has(upper) || upper.startsWith('%INCLUDE') ? `${upper} ${value}`.trim() : '[a line that is not shown]'
}
