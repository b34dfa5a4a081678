/**
 * What changed between two scans: states of ports, what services say, and hosts. Times and durations do not count, as
 * nobody is interested in them. Pure.
 */
import type { IpAddress } from '../packet/address.ts'
import { PORT_STATES, type PortState, type Protocol, type Range, type ScanResult, type ScanRun } from './nmap-result.ts'
import { type PortTable, portTable } from './port-table.ts'

export interface Difference {
  readonly address: IpAddress
  /**
   * `host`: only one scan has it. `state`: of a port, or of ports that changed alike. `service`: what it says.
   * `count`: of the ports that one scan only counts.
   */
  readonly kind: 'host' | 'state' | 'service' | 'count'
  readonly protocol?: Protocol
  /** Of a state and a service. */
  readonly ports?: Range
  /** A state, a service or a sum; `not asked`; empty: nothing. */
  readonly before: string
  readonly after: string
}

export interface Comparison {
  readonly differences: readonly Difference[]
  /** Ports that only one scan asked, and that did not answer there as open. They cannot be compared. */
  readonly askedOnce: readonly { readonly protocol: Protocol; readonly ports: Range }[]
}

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp']

export function compareScans(before: ScanRun, after: ScanRun): Comparison {
  const [ones, others] = [byAddress(before), byAddress(after)]
  const differences: Difference[] = []
  const askedOnce = new Map<string, Comparison['askedOnce'][number]>()
  for (const address of new Set([...ones.keys(), ...others.keys()])) {
    const [one, other] = [ones.get(address), others.get(address)]
    if (one === undefined || other === undefined) {
      const [first, second] = [one, other].map((host) => (host === undefined ? 'not there' : 'up'))
      differences.push({ address, kind: 'host', before: first ?? '', after: second ?? '' })
      continue
    }
    for (const protocol of PROTOCOLS) {
      const tables = [portTable(one, before.asked, protocol), portTable(other, after.asked, protocol)] as const
      for (const { ports, ...states } of changedRanges(...tables)) {
        const asked = states.before !== 'not asked' && states.after !== 'not asked'
        const isOpen = states.before === 'open' || states.after === 'open'
        if (asked || isOpen) differences.push({ address, kind: 'state', protocol, ports, ...states })
        else askedOnce.set(`${protocol}/${ports}`, { protocol, ports })
      }
      differences.push(...services(address, protocol, one, other, tables))
    }
    differences.push(...sums(address, one, other))
  }
  return { differences, askedOnce: [...askedOnce.values()] }
}

/** A host that is named twice was scanned twice: the first result counts. */
function byAddress({ hosts }: ScanRun): ReadonlyMap<IpAddress, ScanResult> {
  const found = new Map<IpAddress, ScanResult>()
  for (const host of hosts) if (!found.has(host.address)) found.set(host.address, host)
  return found
}

interface Changed {
  readonly ports: Range
  readonly before: string
  readonly after: string
}

/** Neighbours that changed alike are one range. */
function changedRanges(before: PortTable, after: PortTable): readonly Changed[] {
  const found: { ports: [number, number]; before: string; after: string }[] = []
  for (let port = 0; port <= 65_535; port++) {
    const [one, other] = [before.at(port), after.at(port)]
    if (one === other || isUndecided(one, other)) continue
    const last = found.at(-1)
    if (
      last?.ports[1] === port - 1 &&
      last.before === one &&
      last.after === other &&
      one !== 'open' &&
      other !== 'open'
    )
      last.ports[1] = port
    else found.push({ ports: [port, port], before: one, after: other })
  }
  return found
}

/** A port that is only counted is not open: nmap lists each open one. More is not known of it. */
function isUndecided(one: string, other: string): boolean {
  return (one === 'counted' && other !== 'open') || (other === 'counted' && one !== 'open')
}

function services(
  address: IpAddress,
  protocol: Protocol,
  one: ScanResult,
  other: ScanResult,
  [before, after]: readonly [PortTable, PortTable],
): readonly Difference[] {
  const named = [...new Set([...one.services.keys(), ...other.services.keys()])]
  return named.flatMap((name) => {
    const port = Number(name.slice(protocol.length + 1))
    // A port that is open in one of them only is told already.
    if (!name.startsWith(`${protocol}/`) || before.at(port) !== after.at(port)) return []
    const [first = '', second = ''] = [one.services.get(name), other.services.get(name)]
    if (withoutTimes(first) === withoutTimes(second)) return []
    return [{ address, kind: 'service', protocol, ports: [port, port], before: first, after: second }]
  })
}

/**
 * Services greet with the time (SMTP), with a number for each connection (POP3), or with random bytes (MySQL). Of a
 * greeting with bytes that are no text, the first words count.
 */
export function withoutTimes(said: string): string {
  const text = /\\x0[0-8]/.test(said) ? (/(?:(?!\\x).){4,}/.exec(said)?.[0] ?? '') : said
  return text
    .replace(/<[^<>@\s]*@[^<>\s]*>/g, '<…>')
    .replace(/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+/g, '')
    .replace(/\b\d{1,2}[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*[ -]\d{2,4}\b/g, '…')
    .replace(/\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+\d{1,2}\b/g, '…')
    .replace(/\b\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?/g, '…')
    .replace(/\b\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\b/g, '…')
}

/** Where one of them only counts ports, all ports of each state are counted in both. */
function sums(address: IpAddress, one: ScanResult, other: ScanResult): readonly Difference[] {
  if (one.counted.length === 0 && other.counted.length === 0) return []
  const [before, after] = [sumOf(one), sumOf(other)]
  return before === after ? [] : [{ address, kind: 'count', before, after }]
}

function sumOf({ listed, others, counted }: ScanResult): string {
  const sum = new Map<PortState, number>()
  const add = (state: PortState, count: number): void => void sum.set(state, (sum.get(state) ?? 0) + count)
  for (const state of listed.values()) add(state, 1)
  for (const { state, ports } of others) for (const [first, last] of ports) add(state, last - first + 1)
  for (const { state, count } of counted) add(state, count)
  return PORT_STATES.flatMap((state) => (sum.has(state) ? [`${sum.get(state)} ${state}`] : [])).join(', ')
}
