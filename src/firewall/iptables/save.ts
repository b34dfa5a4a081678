/** Reads what `iptables-save` prints, as far as it is about our own chains. Pure. */
import type { ChainPlace, ChainRole } from '../../config/server/firewall-settings.ts'
import { type GrantRecord, parseRecord } from '../record.ts'
import { savedLines } from '../saved-lines.ts'

/** A rule of iptables, in words. */
export interface SavedRule {
  readonly chain: string
  /** Behind the chain’s name; quotes and backslashes of the listing are gone. */
  readonly words: readonly string[]
  /** The same as it was listed: the programs take it back. */
  readonly text: string
  /** How many packets it has matched since it was written. Absent where no counters were asked for. */
  readonly packets?: number
}

/** A table, by the names of its chains. */
export type SavedTable = ReadonlyMap<string, readonly SavedRule[]>

/** @returns the tables by name. Lines that are not understood are passed over. */
export function parseSave(text: string): ReadonlyMap<string, SavedTable> {
  const tables = new Map<string, Map<string, SavedRule[]>>()
  let table = new Map<string, SavedRule[]>()
  for (const line of savedLines(text)) {
    if (line.startsWith('*')) {
      table = new Map()
      tables.set(line.slice(1), table)
      continue
    }
    if (line.startsWith(':')) {
      const [chain = ''] = line.slice(1).split(' ')
      if (!table.has(chain)) table.set(chain, [])
      continue
    }
    const [counters = '', packets] = /^\[(\d+):\d+\] /.exec(line) ?? []
    const rule = line.slice(counters.length)
    if (!rule.startsWith('-A ')) continue
    const [, chain = '', ...words] = wordsOf(rule)
    const text = rule.slice(`-A ${chain} `.length)
    table.get(chain)?.push({ chain, words, text, ...(packets !== undefined && { packets: Number(packets) }) })
  }
  return tables
}

/** The words of a line: blanks separate them, except between double quotes. A backslash keeps the next character. */
export function wordsOf(line: string): readonly string[] {
  const words: string[] = []
  for (const [token] of line.matchAll(/(?:"(?:[^"\\]|\\.)*"?|[^\s"])+/g))
    words.push(token.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1'))
  return words
}

/** A rule that carries the record of a grant. */
export interface SavedGrant extends GrantRecord {
  /** The second in which its rules end, by the wall clock. */
  readonly expires: number
}

export interface OwnChains {
  readonly grants: readonly SavedGrant[]
  /** How many records could not be read. */
  readonly unread: number
  /** Rules that neither fwknop nor ghostport wrote. */
  readonly foreign: number
}

/** What is in the chains of ours that these tables have. */
export function readOwnChains(
  tables: ReadonlyMap<string, SavedTable>,
  chains: Readonly<Record<ChainRole, ChainPlace>>,
): OwnChains {
  const grants: SavedGrant[] = []
  let unread = 0
  let foreign = 0
  for (const { table, chain } of Object.values(chains)) {
    for (const { words } of tables.get(table)?.get(chain) ?? []) {
      const expires = endOf(words)
      if (expires === undefined) {
        foreign++
        continue
      }
      const [, ...record] = commentsOf(words)
      if (record.length === 0) continue
      const read = parseRecord(record.join(''))
      if (read === undefined) unread++
      else grants.push({ ...read, expires })
    }
  }
  return { grants, unread, foreign }
}

/** The rules of a chain that fwknop or ghostport wrote. */
export function ownRules(rules: readonly SavedRule[]): readonly SavedRule[] {
  return rules.filter(({ words }) => endOf(words) !== undefined)
}

/** The second in which a rule ends; undefined if neither fwknop nor ghostport wrote it. */
export function endOf(words: readonly string[]): number | undefined {
  const [, second] = /^_exp_(\d{1,10})$/.exec(commentsOf(words)[0] ?? '') ?? []
  return second === undefined ? undefined : Number(second)
}

/** Identifies a rule of ours among those of its chain: its comments and its target. */
export function markOf(words: readonly string[]): string {
  const jump = words.indexOf('-j')
  return `${commentsOf(words).join(' ')} -j ${words.slice(jump + 1, jump + 2).join(' ')}`
}

function commentsOf(words: readonly string[]): readonly string[] {
  return words.flatMap((word, i) => (words[i - 1] === '--comment' ? [word] : []))
}

/** How often a chain of the host jumps to ours, and how many rules it has. */
export function jumpsTo(
  tables: ReadonlyMap<string, SavedTable>,
  { table, from, chain }: ChainPlace,
): { readonly jumps: number; readonly rules: number } {
  const rules = tables.get(table)?.get(from) ?? []
  const jumps = rules.filter(({ words }) => words.length === 2 && words[0] === '-j' && words[1] === chain).length
  return { jumps, rules: rules.length }
}

/** The rules of these tables besides ours and the jumps to them, as text to compare. */
export function otherRules(
  tables: ReadonlyMap<string, SavedTable>,
  chains: Readonly<Record<ChainRole, ChainPlace>>,
): string {
  const places = Object.values(chains)
  const isOurs = (table: string, chain: string): boolean =>
    places.some((place) => place.table === table && place.chain === chain)
  const lines: string[] = []
  for (const [table, contents] of tables)
    for (const [chain, rules] of contents) {
      if (isOurs(table, chain)) continue
      for (const { words } of rules)
        if (!(words.length === 2 && isOurs(table, words[1] ?? ''))) lines.push(`${table} ${chain} ${words.join(' ')}`)
    }
  return lines.join('\n')
}
