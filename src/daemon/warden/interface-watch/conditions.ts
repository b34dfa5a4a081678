/**
 * What two looks at the interfaces of PCAP_INTF mean: which conditions hold, and which began or ended. Pure. The checks
 * are those of fwknop 1.9.12, each with a switch of its own (docs/INTERFACES.md).
 */
import type { InterfaceChecks } from '../../../config/server/server-config.ts'
import type { Milliseconds } from '../../../units.ts'

/** Stable: for log rules and programs. */
export type ConditionCode =
  /** ENABLE_INTF_EXISTS_CHECK: there is no interface of this name. */
  | 'INTF_MISSING'
  /** ENABLE_INTF_RUNNING_CHECK: it is down, or has no carrier. */
  | 'INTF_NOT_RUNNING'
  /** ENABLE_INTF_BYTES_CHECK: its byte counters went back since the look before. */
  | 'INTF_RESET'
  /** ENABLE_INTF_ADDRESS_CHECK: its last address is gone. With PCAP_INTF any: the last one of the host. */
  | 'INTF_NO_ADDRESS'
  /** ENABLE_INTF_RECEIVED_CHECK: packets come in by an interface that PCAP_INTF does not name, and by no other. */
  | 'INTF_ELSEWHERE'
  /** The same check: packets come to this host, and none to the UDP socket. */
  | 'INTF_UNHEARD'

export interface Condition {
  readonly code: ConditionCode
  readonly level: 'warning' | 'info'
  /** The interface that it is about; `any` if it is about all of the host. */
  readonly interface: string
  /** One sentence, printable. */
  readonly text: string
  /** What to do. Absent if nothing is to be done. */
  readonly cure?: string
}

/** What the kernel says of one interface. */
export interface LinkState {
  readonly index: number
  readonly isUp: boolean
  readonly isRunning: boolean
  readonly rxBytes: number
  readonly txBytes: number
}

/** By name. Null: there is none. A name that could not be asked for is left out. */
export type LinkLook = ReadonlyMap<string, LinkState | null>

/** What the checks of links find. At most one condition for each interface. */
export function conditionsOf(
  now: LinkLook,
  before: LinkLook,
  checks: Pick<InterfaceChecks, 'exists' | 'running' | 'bytes'>,
): readonly Condition[] {
  return [...now].flatMap(([name, link]): readonly Condition[] => {
    if (link === null) return checks.exists ? [missing(name)] : []
    if (checks.running && !link.isRunning) return [notRunning(name, link)]
    const earlier = before.get(name) ?? undefined
    const why = checks.bytes && earlier !== undefined ? whyReset(earlier, link) : undefined
    return why === undefined
      ? []
      : [{ code: 'INTF_RESET', level: 'info', interface: name, text: `the interface “${name}” ${why}` }]
  })
}

function missing(name: string): Condition {
  return {
    code: 'INTF_MISSING',
    level: 'warning',
    interface: name,
    text: `the interface “${name}” of PCAP_INTF does not exist, so no knock is heard there`,
    cure: `“ip link” shows the interfaces of this host. When “${name}” exists again, capture goes on by itself`,
  }
}

function notRunning(name: string, { isUp }: LinkState): Condition {
  return {
    code: 'INTF_NOT_RUNNING',
    level: 'warning',
    interface: name,
    text: isUp
      ? `the interface “${name}” is up, but has no carrier: no cable, or its other end is down`
      : `the interface “${name}” is down, so no knock is heard there`,
    cure: isUp ? 'look at the cable, and at the other end (“ip -s link”)' : bringUp(name),
  }
}

/** People paste this into a shell of root: the kernel allows names such as `a;b`. */
function bringUp(name: string): string {
  return /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/.test(name) ? `ip link set ${name} up` : 'bring it up with “ip link set … up”'
}

function whyReset(before: LinkState, now: LinkState): string | undefined {
  if (before.index !== now.index) return 'was deleted and made again. Capture goes on'
  const [what, from, to] =
    now.rxBytes < before.rxBytes ? ['received', before.rxBytes, now.rxBytes] : ['sent', before.txBytes, now.txBytes]
  return to < from ? `counts its bytes anew: ${what} ${from}, then ${to}. Capture goes on` : undefined
}

/** A condition, and since when it holds. */
export interface Holding extends Condition {
  readonly since: Milliseconds
}

export interface Changes {
  readonly begun: readonly Holding[]
  /** For how long each held, in seconds. */
  readonly ended: readonly (Holding & { readonly lasted: number })[]
  /** All that hold now. */
  readonly holding: readonly Holding[]
}

/** @param now when `found` was found, on the clock of `before`. */
export function compare(before: readonly Holding[], found: readonly Condition[], now: Milliseconds): Changes {
  const earlier = new Map(before.map((each) => [keyOf(each), each]))
  const holding = found.map((each) => ({ ...each, since: earlier.get(keyOf(each))?.since ?? now }))
  const current = new Set(holding.map(keyOf))
  return {
    begun: holding.filter((each) => !earlier.has(keyOf(each))),
    ended: before
      .filter((each) => !current.has(keyOf(each)))
      .map((each) => ({ ...each, lasted: Math.round((now - each.since) / 1000) })),
    holding,
  }
}

/**
 * “Down” and “no carrier” are one condition. So are packets by other interfaces: the latest packet gives the name, so
 * that strangers at two of them could else have lines logged for ever.
 */
function keyOf({ code, interface: name }: Condition): string {
  return code === 'INTF_ELSEWHERE' ? code : `${code} ${name}`
}
