/**
 * Flows that were ended, as rules: what the service of such a flow sends later begins no connection. Each packet of the
 * host is compared with every rule, so a client with many flows to one service has one rule for all of them. Pure.
 *
 *     -s 192.0.2.1/32 -d 192.0.2.7/32 -p udp -m udp --sport 1194 --dport 40053 -m conntrack --ctstate NEW
 *       -m time --datestop 2024-11-27T00:33:54 -m comment --comment _exp_1732667635 -j DROP
 */
import type { ChainPlace, ChainRole } from '../../config/server/firewall-settings.ts'
import { type AddressFamily, familyOf, type IpAddress, parseAddress } from '../../packet/address.ts'
import type { Protocol } from '../../packet/message.ts'
import { type Brand, parsePort } from '../../units.ts'
import type { Instant } from '../book.ts'
import { isPorted, type PortedFlow, withPorts } from '../connections/held-back.ts'
import { type Direction, TCP } from '../connections/tracked.ts'
import { type End, endMatches, networkOf, type Rule } from './rules.ts'
import { endOf, type SavedTable } from './save.ts'

/** In each address family. The oldest make room. */
const MOST_HELD = 256
/** Of one call: an address with very many flows must not push out all others. */
const MOST_AT_ONCE = 128
/** Of one client to one service. If there are more, one rule is for all its ports. */
const MOST_PORTS = 8

export type HeldId = Brand<string, 'HeldId'>

/** A flow as its service sends, or all flows of a service to a client. */
export interface HeldFlow {
  readonly protocol: Protocol
  readonly source: IpAddress
  readonly sourcePort: number
  readonly destination: IpAddress
  /** Absent: each port. */
  readonly destinationPort?: number
}

export interface Held {
  readonly id: HeldId
  readonly family: AddressFamily
  readonly flow: HeldFlow
  readonly until: Instant
}

export class HeldFlows {
  /** The oldest first. */
  readonly #held = { 4: new Map<HeldId, Held>(), 6: new Map<HeldId, Held>() }

  /**
   * Protocols without ports have no rule.
   * @returns whose rules change, and how many flows have no place.
   */
  hold(flows: readonly PortedFlow[], until: Instant): { readonly touched: ReadonlySet<HeldId>; readonly left: number } {
    const ported = withPorts(flows)
    const touched = new Set<HeldId>()
    let left = 0
    for (const { protocol, reply } of ported) {
      const exact: HeldFlow = { protocol: protocol === TCP ? 'tcp' : 'udp', ...reply }
      const { destinationPort: _, ...wide } = exact
      const held = this.#held[familyOf(exact.source)]
      // Also that of `wide` itself.
      const siblings = [...held.keys()].filter((id) => id.startsWith(idOf(wide)))
      const flow = siblings.length >= MOST_PORTS || held.has(idOf(wide)) ? wide : exact
      if (flow === exact && !touched.has(idOf(exact)) && touched.size >= MOST_AT_ONCE) {
        left++
        continue
      }
      if (flow === wide)
        for (const id of siblings) {
          held.delete(id)
          touched.add(id)
        }
      touched.add(this.restore(flow, until))
      for (const id of held.keys()) {
        if (held.size <= MOST_HELD) break
        held.delete(id)
        touched.add(id)
      }
    }
    return { touched, left }
  }

  /** @returns whose rule changes. */
  restore(flow: HeldFlow, until: Instant): HeldId {
    const id = idOf(flow)
    const family = familyOf(flow.source)
    this.#held[family].delete(id)
    this.#held[family].set(id, { id, family, flow, until })
    return id
  }

  /**
   * Those of these flows that end before `soon` last until `until`.
   * @param flows whose rules have matched packets.
   * @returns whose rules change.
   */
  renew(flows: readonly HeldFlow[], soon: Instant, until: Instant): ReadonlySet<HeldId> {
    const touched = new Set<HeldId>()
    for (const flow of flows) {
      const held = this.#held[familyOf(flow.source)].get(idOf(flow))
      if (held !== undefined && held.until < soon) touched.add(this.restore(flow, until))
    }
    return touched
  }

  /** Those that last. The others are forgotten. */
  live(now: Instant): readonly Held[] {
    const all = [this.#held[4], this.#held[6]].flatMap((held) => [...held.values()])
    for (const { id, family, until } of all) if (until <= now) this.#held[family].delete(id)
    return all.filter(({ until }) => until > now)
  }

  /** Whether a connection that began in this direction is held back. */
  has(protocol: number, began: Direction): boolean {
    if (!isPorted(protocol)) return false
    const exact: HeldFlow = { protocol: protocol === TCP ? 'tcp' : 'udp', ...began }
    const { destinationPort: _, ...wide } = exact
    const held = this.#held[familyOf(began.source)]
    return held.has(idOf(exact)) || held.has(idOf(wide))
  }

  get isEmpty(): boolean {
    return this.#held[4].size + this.#held[6].size === 0
  }

  clear(): void {
    this.#held[4].clear()
    this.#held[6].clear()
  }
}

/** The id of a flow begins with that of all flows of its service to its client. */
function idOf({ protocol, source, sourcePort, destination, destinationPort }: HeldFlow): HeldId {
  return `held ${protocol} ${source} ${sourcePort} ${destination} ${destinationPort ?? ''}` as HeldId
}

/** What a service of this host sends, and what is sent through this host. A TCP connection of this host is reset. */
export function heldRules(
  { protocol, source, sourcePort, destination, destinationPort }: HeldFlow,
  end: End,
): readonly Rule[] {
  const to = destinationPort === undefined ? '' : ` --dport ${destinationPort}`
  const ports = `-p ${protocol} -m ${protocol} --sport ${sourcePort}${to}`
  const text = `-s ${networkOf(source)} -d ${networkOf(destination)} ${ports} -m conntrack --ctstate NEW ${endMatches(end)} -j DROP`
  const roles = protocol === 'udp' ? (['output', 'forward'] as const) : (['forward'] as const)
  return roles.map((role) => ({ role, text, place: 'first' }))
}

/** A flow whose rule is in a chain of ours. */
export interface SavedFlow {
  readonly flow: HeldFlow
  /** The second in which it ends, by the wall clock. */
  readonly expires: number
  /** Whether packets were counted since it was written. False where no counters were asked for. */
  readonly isHit: boolean
}

/** @returns one for each rule: a flow may have two. */
export function readHeldFlows(
  tables: ReadonlyMap<string, SavedTable>,
  { output, forward }: Readonly<Record<ChainRole, ChainPlace>>,
): readonly SavedFlow[] {
  const saved: SavedFlow[] = []
  for (const { table, chain } of [output, forward])
    for (const { words, packets = 0 } of tables.get(table)?.get(chain) ?? []) {
      const expires = endOf(words)
      const flow = words.at(-1) === 'DROP' ? parseFlow(words) : undefined
      if (expires !== undefined && flow !== undefined) saved.push({ flow, expires, isHit: packets > 0 })
    }
  return saved
}

function parseFlow(words: readonly string[]): HeldFlow | undefined {
  const after = (option: string): string => words[words.indexOf(option) + 1] ?? ''
  const [source, destination] = [after('-s'), after('-d')].map((text) => parseAddress(text.replace(/\/\d+$/, '')))
  const protocol = after('-p')
  const [sourcePort, destinationPort] = [after('--sport'), after('--dport')].map((text) => parsePort(text))
  if (!source?.ok || !destination?.ok || !sourcePort?.ok) return undefined
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined
  return {
    ...{ protocol, source: source.value, sourcePort: sourcePort.value, destination: destination.value },
    ...(destinationPort?.ok && words.includes('--dport') && { destinationPort: destinationPort.value }),
  }
}
