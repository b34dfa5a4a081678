/**
 * The host's own rules, as `nft list ruleset` prints them: of nft itself, and through libxtables of iptables-nft, ufw
 * and firewalld. It reads the text and not the JSON, because the JSON hides nearly all that iptables wrote.
 */
import { printable } from '../../bytes/text.ts'
import { compileRule, type JudgedRule } from './rule.ts'

/** A chain that the kernel itself calls, at `hook`. */
export interface BaseHook {
  readonly type: string
  readonly hook: string
  readonly priority: number
  readonly policy: 'accept' | 'drop'
}

export interface HostChain {
  /** `ip`, `ip6`, `inet`, `netdev`, … */
  readonly family: string
  readonly table: string
  readonly name: string
  readonly base?: BaseHook
  readonly rules: readonly HostRuleLine[]
}

/** One rule. Rules of iptables-legacy are judged in nft's words and shown in their own. */
export class HostRuleLine {
  readonly chain: string
  readonly shown: string
  readonly #judged: string
  #compiled: readonly JudgedRule[] | undefined

  constructor(chain: string, judged: string, shown: string) {
    this.chain = chain
    this.#judged = judged
    this.shown = shorten(printable(shown))
  }

  /** A rule with a verdict map counts as one rule for each element. */
  get parts(): readonly JudgedRule[] {
    this.#compiled ??= compileRule(this.#judged)
    return this.#compiled
  }

  /** The rule as a message shows it. */
  toString(): string {
    return `${this.chain}: ${this.shown}`
  }
}

/** Characters of a rule that a message shows: a set may list thousands of ports. */
const LONGEST_SHOWN = 160

/** A table; `by` says whose rules they are. */
export interface HostTable {
  readonly family: string
  readonly name: string
  readonly by: 'nft' | 'iptables-legacy'
  readonly chains: ReadonlyMap<string, HostChain>
}

/** The contents of a named set of ports, as `{ 22, 80 }`; undefined if unknown. */
export type NamedSet = (family: string, table: string, name: string) => string | undefined

/**
 * Does not match `ip saddr . tcp dport @set`: such a set holds pairs, often many, like our own sets of what is open.
 */
const SET_OF_ITS_OWN = /(?<! \. (?:\w+ )?)\b(dport|sport|icmpv6 type) (!= )?@(\S+)/g

/**
 * @param listing what `list ruleset` prints, with or without the elements of sets.
 * @param namedSet called for sets of ports and of ICMPv6 types, which are short; not for sets of addresses.
 */
export function parseListing(listing: string, namedSet: NamedSet = () => undefined): readonly HostTable[] {
  const tables: HostTable[] = []
  let chains = new Map<string, HostChain>()
  let table = { family: '', name: '' }
  let open: { name: string; base?: BaseHook; rules: HostRuleLine[] } | undefined
  for (const line of listing.split('\n')) {
    // A table with an owner (firewalld's, on Debian 13) names its program after the bracket.
    const tableHead = /^table (\w+) (\S+) \{(?: # .*)?$/.exec(line)
    const chainHead = /^\tchain (\S+) \{$/.exec(line)
    if (tableHead !== null) {
      table = { family: tableHead[1] ?? '', name: tableHead[2] ?? '' }
      chains = new Map()
      tables.push({ ...table, by: 'nft', chains })
    } else if (chainHead !== null) open = { name: chainHead[1] ?? '', rules: [] }
    else if (/^\t?\}$/.test(line)) {
      if (open !== undefined) chains.set(open.name, { family: table.family, table: table.name, ...open })
      open = undefined
    } else if (open !== undefined && /^\t\t\S/.test(line)) {
      const text = line.trim()
      const base = parseHook(text)
      if (base !== undefined) open.base = base
      else if (!text.startsWith('comment "')) {
        const at = `${table.family} ${table.name} ${open.name}`
        const { family, name } = table
        const judged = text.replace(SET_OF_ITS_OWN, (whole, key: string, not = '', set: string) => {
          const held = namedSet(family, name, set)
          return held === undefined ? whole : `${key} ${not}${held}`
        })
        open.rules.push(new HostRuleLine(at, judged, withoutCounter(text)))
      }
    }
  }
  return tables
}

/** `type filter hook input priority 0; policy drop;` */
function parseHook(text: string): BaseHook | undefined {
  const [, type, hook, priority] =
    /^type (\w+) hook (\w+) (?:devices? .+ )?priority (-?[\w]+(?: [+-] \d+)?);/.exec(text) ?? []
  if (type === undefined || hook === undefined || priority === undefined) return undefined
  return { type, hook, priority: Number(priority) || 0, policy: /policy drop;/.test(text) ? 'drop' : 'accept' }
}

/** @param listing what `list set` prints. @returns its elements without what they carry: `{ 22, 80-90 }`. */
export function parseSet(listing: string): string | undefined {
  const [, elements] = /elements = \{ ([^{}]*) \}/.exec(listing.replace(/\s+/g, ' ')) ?? []
  if (elements === undefined) return undefined
  return `{ ${elements
    .split(', ')
    .map((element) => element.split(' ')[0])
    .join(', ')} }`
}

/** A comment may be long. */
function shorten(text: string): string {
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`
}

function withoutCounter(text: string): string {
  return text.replace(/ ?counter packets \d+ bytes \d+ ?/g, ' ').trim()
}
