/**
 * The rules of a grant in fwknop's chains, as `iptables-restore` reads them and `iptables-save` prints them. Pure.
 *
 *     -s 192.0.2.7/32 -p tcp -m tcp --dport 22 -m time --datestop 2024-11-26T00:33:54
 *       -m comment --comment _exp_1732581235 -m comment --comment "2|3|30|192.0.2.7|t22|alice|86400000" -j ACCEPT
 *
 * The first comment is fwknop's: the second in which the rule ends. The kernel compares `--datestop` with its own clock
 * (UTC), so the rule ends there too when no process runs. The last comments, of the first rule only, are the record of
 * the grant (`record.ts`): a comment holds 255 bytes, and a rule may have several.
 */
import { type Grant, isEveryPort, type TransitTarget, type Translated } from '../../access/grant.ts'
import type { ChainPlace, ChainRole, ChainsShape } from '../../config/server/firewall-settings.ts'
import { type AddressFamily, familyOf, formatHostPort, type IpAddress } from '../../packet/address.ts'
import type { Protocol } from '../../packet/message.ts'
import type { Port } from '../../units.ts'
import type { Instant } from '../book.ts'
import { encodeRecord } from '../record.ts'

/** One rule. Two rules with the same text and the same role are the same rule. */
export interface Rule {
  readonly role: ChainRole
  /** All behind the name of its chain. */
  readonly text: string
  /**
   * `first`: before all others of its chain, because it drops what they may accept. `last`: behind all others, because
   * it matches what they match, and more.
   */
  readonly place?: 'first' | 'last'
}

/** When a grant ends, by two clocks. */
export interface End {
  /** Milliseconds since the machine started, including its suspensions. */
  readonly boot: Instant
  /** Milliseconds since 1970, by the clock that the kernel compares rules with. */
  readonly wall: number
}

/** XT_MAX_COMMENT_LEN, less the NUL at the end. */
const LONGEST_COMMENT = 255
/** iptables writes times as signed seconds of 32 bits: no rule can end later. */
export const LAST_SECOND = 2 ** 31 - 1

/** @returns at least one rule. The first carries the record. */
export function rulesOf(
  grant: Grant,
  end: End,
  { output, knocks = [] }: Pick<ChainsShape, 'output' | 'knocks'>,
): readonly Rule[] {
  const { source } = grant
  const ends = endMatches(end)
  const record = commentsOf(encodeRecord(grant, end.boot))
  const rules: Rule[] = []
  const add = (role: ChainRole, match: string, target: string, place?: 'last'): void => {
    const text = `${match} ${ends}${rules.length === 0 ? ` ${record}` : ''} -j ${target}`
    rules.push({ role, text, ...(place && { place }) })
  }
  const translate = (match: string, translation: Translated): void => {
    if (translation === 'masquerade') add('masquerade', match, 'MASQUERADE')
    else if (translation !== 'none') add('snat', match, `SNAT --to-source ${translation.snat}`)
  }
  const from = `-s ${networkOf(source)}`
  const to = `-d ${networkOf(source)}`
  for (const opening of grant.openings) {
    switch (opening.kind) {
      case 'access': {
        const { protocol, port } = opening
        add('input', `${from}${here(opening, '-d')} ${ported(protocol, 'dport', port)}`, 'ACCEPT')
        if (output)
          add(
            'output',
            `${here(opening, '-s').trimStart()}${opening.destination === undefined ? '' : ' '}${to} ${ported(protocol, 'sport', port)}`,
            'ACCEPT',
          )
        break
      }
      case 'ghost': {
        const { protocol, publicPort, localPort, named } = opening
        // Only what came through the public port: the port of the service itself stays shut.
        add(
          'input',
          `${from}${here(opening, '-d')} ${ported(protocol, 'dport', localPort)} ${translatedFrom(publicPort)}`,
          'ACCEPT',
        )
        if (output) add('output', `${to} ${ported(protocol, 'sport', localPort)}`, 'ACCEPT')
        // Without an address, the destination keeps the one that it has.
        add(
          'dnat',
          publicMatch(`${from}${here(opening, '-d')}`, protocol, publicPort),
          `DNAT --to-destination ${named === undefined ? `:${localPort}` : formatHostPort(named, localPort)}`,
        )
        break
      }
      case 'forward': {
        const { protocol, publicPort, target, translation } = opening
        const match = `${from} -d ${networkOf(target.address)} ${ported(protocol, 'dport', target.port)}`
        add('forward', `${match} ${translatedFrom(publicPort)}`, 'ACCEPT')
        add(
          'dnat',
          publicMatch(`${from}${here(opening, '-d')}`, protocol, publicPort),
          `DNAT --to-destination ${formatHostPort(target.address, target.port)}`,
        )
        translate(`${match} -m conntrack --ctstate DNAT`, translation)
        break
      }
      case 'transit':
        for (const target of opening.to)
          for (const match of transitMatches(from, target)) {
            add('forward', match, 'ACCEPT')
            translate(match, opening.translation)
          }
        break
      case 'divert': {
        const { target, translation } = opening
        const match = `${from} -d ${networkOf(target)} -m conntrack --ctstate DNAT`
        add('forward', match, 'ACCEPT')
        translate(match, translation)
        const here = `${from} -m addrtype --dst-type LOCAL`
        for (const { protocol, port } of knocks) add('dnat', `${from} ${ported(protocol, 'dport', port)}`, 'RETURN')
        add('dnat', here, `DNAT --to-destination ${target}`, 'last')
        break
      }
      default:
        opening satisfies never
    }
  }
  return rules
}

/** @returns one match, or one for each protocol. */
function transitMatches(from: string, target: TransitTarget): readonly string[] {
  const { network, ports, protocol } = target
  const there = network.length === 0 ? from : `${from} -d ${network.prefix}/${network.length}`
  if (isEveryPort(target)) return [there]
  const range = ports.first === ports.last ? `${ports.first}` : `${ports.first}:${ports.last}`
  return (protocol === undefined ? (['tcp', 'udp'] as const) : [protocol]).map(
    (one) => `${there} -p ${one} -m ${one} --dport ${range}`,
  )
}

/** The family whose program gets the rules of a grant. */
export function familyOfGrant({ source }: Grant): AddressFamily {
  return familyOf(source)
}

/** The second that fwknop's comment names: the first in which the rule does not match any more. */
export function lastSecondOf(wall: number): number {
  return Math.ceil(wall / 1000)
}

/** The matches that end a rule. */
export function endMatches({ wall }: End): string {
  const end = lastSecondOf(wall)
  // The kernel still matches in the second that is named.
  const stop = new Date((end - 1) * 1000).toISOString().slice(0, 19)
  return `-m time --datestop ${stop} -m comment --comment _exp_${end}`
}

/** A record has no quotes and no backslashes. */
function commentsOf(record: string): string {
  const parts = record.match(new RegExp(`.{1,${LONGEST_COMMENT}}`, 'g')) ?? []
  return parts.map((part) => `-m comment --comment "${part}"`).join(' ')
}

function ported(protocol: Protocol, which: 'dport' | 'sport', port: Port): string {
  return `-p ${protocol} -m ${protocol} --${which} ${port}`
}

/** Forwarded packets know nothing of our public ports. */
function publicMatch(from: string, protocol: Protocol, port: Port): string {
  return `${from} ${ported(protocol, 'dport', port)} -m addrtype --dst-type LOCAL`
}

function translatedFrom(publicPort: Port): string {
  return `-m conntrack --ctstate DNAT --ctorigdstport ${publicPort}`
}

/** ` -d 192.0.2.1/32`, if the opening counts at one address only. */
function here({ destination }: { readonly destination?: IpAddress }, option: '-d' | '-s'): string {
  return destination === undefined ? '' : ` ${option} ${networkOf(destination)}`
}

export function networkOf(address: IpAddress): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`
}

/** The chains that these rules are in, each once. */
export function rolesOf(rules: Iterable<Rule>): ReadonlySet<ChainRole> {
  const roles = new Set<ChainRole>()
  for (const { role } of rules) roles.add(role)
  return roles
}

/** Input for `iptables-restore --noflush`: one part for each table. */
export class Batch {
  readonly #parts = new Map<string, string[]>()

  add({ table }: Pick<ChainPlace, 'table'>, line: string): void {
    const lines = this.#parts.get(table)
    if (lines === undefined) this.#parts.set(table, [line])
    else lines.push(line)
  }

  get isEmpty(): boolean {
    return this.#parts.size === 0
  }

  /**
   * Each table is changed at once or not at all; the tables one after the other. `nat` is last: what it translates is
   * accepted nowhere unless the rules before it are there, and those rules accept nothing that it does not translate.
   */
  toString(): string {
    const tables = [...this.#parts].sort(([one], [other]) => Number(one === 'nat') - Number(other === 'nat'))
    return tables.map(([table, lines]) => `*${table}\n${lines.join('\n')}\nCOMMIT\n`).join('')
  }
}

/**
 * Adds and removes single rules. It fails, and changes nothing in the table, if one of the jumps to these chains is
 * missing, or a rule to remove.
 */
export function changeRules(
  { chains, prepend }: Pick<ChainsShape, 'chains' | 'prepend'>,
  added: readonly Rule[],
  removed: readonly Rule[],
): Batch {
  const batch = new Batch()
  for (const role of rolesOf([...added, ...removed])) {
    const place = chains[role]
    batch.add(place, `-C ${place.from} -j ${place.chain}`)
  }
  for (const rule of added) batch.add(chains[rule.role], insertion(chains[rule.role], prepend, rule))
  for (const { role, text } of removed) batch.add(chains[role], `-D ${chains[role].chain} ${text}`)
  return batch
}

function insertion({ chain }: ChainPlace, prepend: boolean, { role, text, place }: Rule): string {
  const first = place === 'first' || (place !== 'last' && (prepend || role === 'dnat'))
  return `${first ? '-I' : '-A'} ${chain} ${text}`
}

/** What is there before a chain of ours is written anew. */
export interface ChainState {
  /** Whether the host’s chain jumps to ours. */
  readonly hasJump: boolean
  /** Number of rules in the host’s chain. */
  readonly hostRules: number
  /** What goes from our chain: all, or these rules, as they are listed. Rules of others then stay. */
  readonly removed: 'all' | readonly string[]
}

/** Writes the chains of these roles anew, with these rules, and puts the missing jumps there. */
export function rewriteChains(
  { chains, prepend }: Pick<ChainsShape, 'chains' | 'prepend'>,
  roles: Iterable<ChainRole>,
  rules: readonly Rule[],
  stateOf: (place: ChainPlace) => ChainState,
): Batch {
  const batch = new Batch()
  const added = new Map<string, number>()
  for (const role of roles) {
    const place = chains[role]
    const { table, from, position, chain } = place
    const { hasJump, hostRules, removed } = stateOf(place)
    // With --noflush this empties the chain of this name, and no other.
    if (removed === 'all') batch.add(place, `:${chain} - [0:0]`)
    else for (const text of removed) batch.add(place, `-D ${chain} ${text}`)
    if (hasJump) continue
    const before = added.get(`${table} ${from}`) ?? 0
    added.set(`${table} ${from}`, before + 1)
    batch.add(place, `-I ${from} ${Math.min(position, hostRules + before + 1)} -j ${chain}`)
  }
  for (const rule of rules) batch.add(chains[rule.role], insertion(chains[rule.role], prepend, rule))
  return batch
}

/** Removes the jumps and the chains that are there. */
export function removeChains(places: readonly (ChainPlace & { readonly jumps: number })[]): Batch {
  const batch = new Batch()
  for (const place of places) {
    for (let i = 0; i < place.jumps; i++) batch.add(place, `-D ${place.from} -j ${place.chain}`)
    batch.add(place, `-F ${place.chain}`)
    batch.add(place, `-X ${place.chain}`)
  }
  return batch
}
