/** Records what happened to packets: a log line for each, the latest ones for `status`, and counts of all. */
import { describeOpening, type Grant } from '../../access/grant.ts'
import type { StanzaIndex } from '../../access/matching.ts'
import type { Policy } from '../../access/policy.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type {
  CloseAction,
  CommandAction,
  CycleAction,
  Denial,
  GrantAction,
  Granted,
  Verdict,
} from '../../access/verdict.ts'
import { type GrantRecord, whomFor } from '../../cluster-record/gate-records.ts'
import type { FailureCode } from '../../failure-codes.ts'
import type { Opened } from '../../firewall/firewall.ts'
import { failureFields, type Log, type LogField, levelOf } from '../../log.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import type { Failure } from '../../result.ts'
import type { Milliseconds } from '../../units.ts'
import type { Knock } from '../link/knock.ts'
import { MOST_TRIED, type RefusalNote, type Tally, type WayCounts } from '../link/protocol.ts'
import { limiterFor, type RefusalLimiter, type Suppressed } from '../link/refusal-log.ts'
import type { Reception } from './interface-watch/reception.ts'

/** How many verdicts `status` shows. */
const REMEMBERED = 50

/**
 * Lines that the receiver may cause, as a multiple of its own limit: its clock differs, and a new receiver starts at
 * zero.
 */
const LEEWAY = 2
/** How many log lines one grant may cause about grants that it displaced. */
const MOST_DISPLACED = 5

const NOTHING: Tally = { looked: 0, dropped: 0, refused: {} }

/** The clocks of a journal: one for people, and one that never goes back. */
export interface JournalClocks {
  readonly wall: () => Date
  readonly monotonic: () => Milliseconds
}

/** The last packet with the keys of a stanza that has a NAME. */
export interface StanzaUse {
  /** RFC 3339, UTC. */
  readonly time: string
  readonly source: string
  /** Why it was refused, if it was. */
  readonly code?: FailureCode
}

/** More names than any configuration has. Reloads may bring others. */
export const MOST_USES = 50_000

/** Since the server started. `looked` is the sum of `granted`, all of `refused`, and `undecided`. */
export interface JournalCounters {
  readonly granted: number
  /** By reason. */
  readonly refused: Suppressed
  /** Packets of the right port and length that were examined. */
  readonly looked: number
  /** Of `looked`, by the way in which they came. Absent if all came by `udp`. */
  readonly ways?: WayCounts
  /** Packets that wait for their verdict, and those whose verdict was lost with a receiver. */
  readonly undecided: number
  /** Packets that found no room in the kernel's buffer, and were not examined. */
  readonly dropped: number
  /** Packets that came in by an interface that PCAP_INTF does not name, and were not examined. Absent: none. */
  readonly elsewhere?: number
}

/** The names of stanzas by their numbers, under one configuration. */
export type StanzaNames = Pick<StanzaIndex, 'byId'>

type Counts = { readonly [name: string]: number }
type Fields = { readonly [name: string]: LogField }

/** What the log of `fwknopd` shows besides: packets with `-v`, and stanzas that did not take a packet. */
type Shown = Pick<Policy, 'showsPackets' | 'namesTrials'>

/** What another node granted, and became of it here. Since the server started. */
export interface GateCounters {
  /** Opened here. */
  readonly granted: number
  /** By reason. */
  readonly refused: Suppressed
  /** Ended here before their time. */
  readonly ended: number
}

export const CLOSED_BY_CLIENT = 'its own client closed it'

export class Journal {
  readonly #log: Log
  readonly #clocks: JournalClocks
  readonly #whatShuts: (grant: Grant) => readonly string[]
  readonly #shows: Shown
  readonly #limiter: RefusalLimiter
  /** The receiver limits its lines itself. A hostile receiver does not. */
  readonly #receiverLimiter: RefusalLimiter
  #last: Fields[] = []
  #granted = 0
  #lastGranted: string | undefined
  /** By NAME: the longest unused first. */
  readonly #uses = new Map<string, StanzaUse>()
  #useChanges = 0
  #refused = new Map<FailureCode, number>()
  readonly #gate = { granted: 0, refused: new Map<FailureCode, number>(), ended: 0 }
  /** Of receivers that have ended, and of the running one. */
  #past = NOTHING
  #current = NOTHING
  /** Knocks that the running receiver has reported. */
  #reported = 0

  /**
   * @param refusalsPerSecond LOG_LIMIT: lines for refused knocks, in the long run.
   * @param whatShuts codes of what keeps a grant from opening its doors, as far as known.
   * @param shows what the log shows besides. It shows nothing else, also if the receiver sends it.
   */
  constructor(
    log: Log,
    refusalsPerSecond: number,
    clocks: JournalClocks,
    whatShuts: (grant: Grant) => readonly string[] = () => [],
    shows: Shown = {},
  ) {
    this.#shows = shows
    this.#log = log
    this.#whatShuts = whatShuts
    this.#clocks = clocks
    const now = clocks.monotonic()
    this.#limiter = limiterFor(refusalsPerSecond, now)
    this.#receiverLimiter = limiterFor(refusalsPerSecond * LEEWAY, now)
  }

  /** Refusals that were folded under the old limit are logged first. Lines logged under it still count. */
  limitRefusals(perSecond: number): void {
    this.logSuppressed()
    this.logReceiverSuppressed()
    this.#limiter.limit(perSecond)
    this.#receiverLimiter.limit(perSecond * LEEWAY)
  }

  /**
   * Logs an authentic packet and what became of it. A grant always has its line: only the holder of a key can cause
   * one, unless replays are allowed. A refusal has a line up to the limit: anybody can send a recorded packet again, of
   * any age.
   * @param names under which the verdict was made.
   */
  knock(knock: Knock, verdict: Verdict, names: StanzaNames): void {
    this.#used(knock, verdict, names)
    if (verdict.granted) {
      this.#granted++
      this.#lastGranted = this.#clocks.wall().toISOString()
      this.#carriedOut(knock, verdict, names)
      return
    }
    const { failure } = verdict
    this.#refused.set(failure.code, (this.#refused.get(failure.code) ?? 0) + 1)
    if (!this.#limiter.mayLog(failure.code, this.#clocks.monotonic())) return
    this.#record(levelOf(failure.code), 'knock', {
      verdict: 'refused',
      ...cameFrom(knock),
      ...stanzaFields(verdict.stanza, names),
      ...failureFields(failure),
      user: knock.message.username,
      ...this.#denials(verdict.denials.filter(({ stanza }) => stanza !== verdict.stanza)),
      ...(verdict.clocks && { clock: { packet: verdict.clocks.packet, server: verdict.clocks.server } }),
    })
  }

  /** A grant of another node has opened here. It has its line, as that of a knock. */
  openedFor(node: string, grant: Grant, opened: Opened): void {
    this.#gate.granted++
    this.#lastGranted = this.#clocks.wall().toISOString()
    const shutBy = this.#whatShuts(grant).join(',')
    this.#record(shutBy === '' ? 'info' : 'warning', 'gate', {
      verdict: 'granted',
      by: node,
      ...grantFields(grant),
      lifetime: grant.lifetime,
      ...(shutBy !== '' && { shutBy }),
    })
    this.#endedFor(opened)
  }

  /** The same, and nothing has opened. Lines are limited as those of refused knocks. */
  refusedFor(
    node: string,
    { name, user, ...asked }: GrantRecord,
    failure: Failure,
    stanza: StanzaId | undefined,
  ): void {
    this.#gate.refused.set(failure.code, (this.#gate.refused.get(failure.code) ?? 0) + 1)
    if (!this.#limiter.mayLog(failure.code, this.#clocks.monotonic())) return
    this.#record('warning', 'gate', {
      ...{ verdict: 'refused', by: node },
      ...(stanza !== undefined && { stanza }),
      ...{ name, for: whomFor(asked), ...failureFields(failure), user },
    })
  }

  /** This many ended here, because they ended at another node. */
  endedBy(grants: number): void {
    this.#gate.ended += grants
  }

  gateCounters(): GateCounters {
    const { granted, refused, ended } = this.#gate
    return { granted, refused: Object.fromEntries(refused), ended }
  }

  /** The last use of each stanza by its NAME, the longest unused first. */
  uses(): Readonly<Record<string, StanzaUse>> {
    return Object.fromEntries(this.#uses)
  }

  /** Grows with each use. */
  get useChanges(): number {
    return this.#useChanges
  }

  /** What an earlier process of the server knew. */
  rememberUses(uses: Readonly<Record<string, StanzaUse>>): void {
    for (const [name, use] of Object.entries(uses)) if (!this.#uses.has(name)) this.#uses.set(name, use)
  }

  /**
   * Forgets the uses of other names. Who gets the name of a removed user later has not knocked yet: else an invitation
   * could be confirmed although nobody used it.
   */
  keepUsesOf(names: ReadonlySet<string>): void {
    for (const name of [...this.#uses.keys()])
      if (!names.has(name)) {
        this.#uses.delete(name)
        this.#useChanges++
      }
  }

  #used({ packet }: Knock, verdict: Verdict, names: StanzaNames): void {
    const name = verdict.stanza === undefined ? undefined : names.byId(verdict.stanza)?.name
    if (name === undefined) return
    this.#useChanges++
    this.#uses.delete(name)
    const code = verdict.granted ? {} : { code: verdict.failure.code }
    this.#uses.set(name, { time: this.#clocks.wall().toISOString(), source: packet.source, ...code })
    const [oldest] = this.#uses.keys()
    if (this.#uses.size > MOST_USES && oldest !== undefined) this.#uses.delete(oldest)
  }

  /** What other stanzas said. */
  #denials(denials: readonly Denial[]): Fields {
    if (this.#shows.namesTrials !== true || denials.length === 0) return {}
    const told = denials.slice(0, MOST_TRIED)
    return { tried: told.map(({ stanza, failure }) => ({ stanza, ...failureFields(failure) })) }
  }

  #carriedOut(knock: Knock, { stanza, action, denials }: Granted, names: StanzaNames): void {
    switch (action.kind) {
      case 'grant':
        this.#grantOpened(knock, stanza, action, names, this.#denials(denials))
        break
      case 'command':
        this.#commandSubmitted(knock, stanza, action, names)
        break
      case 'cycle':
        this.#cycleSubmitted(knock, stanza, action, names)
        break
      case 'close':
        this.#closed(knock, stanza, action, names)
        break
      default:
        action satisfies never
    }
  }

  #closed(knock: Knock, stanza: StanzaId, { closing, closed = [] }: CloseAction, names: StanzaNames): void {
    this.#record('info', 'knock', {
      verdict: 'granted',
      ...cameFrom(knock),
      ...stanzaFields(stanza, names),
      closes: closing.ports.length === 0 ? 'all' : formatProtocolPorts(closing.ports),
      ended: closed.length,
      for: closing.source,
      user: closing.username,
    })
    for (const grant of closed)
      this.#log.write('info', 'grant ended', { detail: CLOSED_BY_CLIENT, ...grantFields(grant) })
  }

  #commandSubmitted(knock: Knock, stanza: StanzaId, { command, facts, job }: CommandAction, names: StanzaNames): void {
    this.#record('info', 'knock', {
      verdict: 'granted',
      ...cameFrom(knock),
      ...stanzaFields(stanza, names),
      ...{ command, job },
      for: facts.source,
      user: facts.username,
    })
  }

  #cycleSubmitted(knock: Knock, stanza: StanzaId, { grant, jobs = [] }: CycleAction, names: StanzaNames): void {
    this.#record('info', 'knock', {
      verdict: 'granted',
      ...cameFrom(knock),
      ...stanzaFields(stanza, names),
      cycle: grant.openings.map(describeOpening).join(','),
      jobs,
      for: grant.source,
      lifetime: grant.lifetime,
      user: grant.username,
    })
  }

  #grantOpened(knock: Knock, stanza: StanzaId, action: GrantAction, names: StanzaNames, tried: Fields): void {
    const { grant } = action
    const shutBy = this.#whatShuts(grant).join(',')
    this.#record(shutBy === '' ? 'info' : 'warning', 'knock', {
      verdict: 'granted',
      ...cameFrom(knock),
      ...stanzaFields(stanza, names),
      grant: grant.openings.map(describeOpening).join(','),
      for: grant.source,
      lifetime: grant.lifetime,
      user: grant.username,
      ...tried,
      ...(shutBy !== '' && { shutBy }),
    })
    this.#endedFor(action)
  }

  /** Other grants that ended for one that has opened. */
  #endedFor({ ended = [], displaced = [] }: NonNullable<Opened> = {}): void {
    for (const other of ended)
      this.#ended(
        other,
        `it forwarded a port of ${other.source} elsewhere, and ${other.source} has now asked for that port itself`,
      )
    for (const other of displaced.slice(0, MOST_DISPLACED)) this.#ended(other, 'its place was needed for another grant')
    if (displaced.length > MOST_DISPLACED)
      this.#log.write('warning', 'grants ended', {
        detail: 'their places were needed for another grant',
        grants: displaced.length - MOST_DISPLACED,
      })
  }

  /**
   * A packet that no key opened. An honest receiver has limited their number, and reports the rest with the tally. Here
   * they are limited once more.
   * @param names under which the receiver works. It reports only numbers.
   */
  refused(note: RefusalNote, names: StanzaNames): void {
    const { stanza, code, detail, way = 'udp', tried } = note
    if (!this.#receiverLimiter.mayLog(code, this.#clocks.monotonic())) return
    this.#record(levelOf(code), 'refused', {
      verdict: 'refused',
      ...origin(note),
      via: way,
      ...stanzaFields(stanza, names),
      ...failureFields({ code, detail }),
      ...(tried !== undefined && this.#shows.namesTrials && { tried: tried.map((one) => ({ ...one })) }),
    })
  }

  /** Whether refused knocks were folded that {@link logSuppressed} has not logged yet. */
  get hasSuppressed(): boolean {
    return this.#limiter.hasSuppressed
  }

  logSuppressed(): void {
    const counts = this.#limiter.takeSuppressed()
    if (counts !== undefined) this.#writeSuppressed(counts)
  }

  /** Counts that the receiver did not report one by one. {@link logReceiverSuppressed} logs them, at its own rate. */
  suppressed(counts: Suppressed): void {
    this.#receiverLimiter.fold(counts)
  }

  /** One line, if the receiver folded refusals or reported too many since the last call. */
  logReceiverSuppressed(): void {
    const counts = this.#receiverLimiter.takeSuppressed()
    if (counts !== undefined) this.#writeSuppressed(counts)
  }

  #writeSuppressed(counts: Suppressed): void {
    this.#log.write('warning', 'suppressed', { counts: { ...counts } })
  }

  tally(tally: Tally): void {
    this.#current = tally
  }

  /** The receiver reported this many knocks. Their verdicts come later. */
  reported(knocks: number): void {
    this.#reported += knocks
  }

  /** The receiver's counts start at zero again. */
  receiverLost(): void {
    this.#past = sum(this.#past, this.#ofCurrent())
    this.#current = NOTHING
    this.#reported = 0
  }

  /** A receiver that ends between a knock and its next tally has examined more than the tally says. */
  #ofCurrent(): Tally {
    const { looked, refused } = this.#current
    return { ...this.#current, looked: Math.max(looked, this.#reported + total(refused)) }
  }

  /** Newest first. */
  lastVerdicts(): readonly Fields[] {
    return this.#last.toReversed()
  }

  /** RFC 3339. */
  get lastGranted(): string | undefined {
    return this.#lastGranted
  }

  counters(): JournalCounters {
    const { looked, dropped, refused: unheard, ways, elsewhere } = sum(this.#past, this.#ofCurrent())
    const refused = addCounts(unheard, Object.fromEntries(this.#refused))
    const undecided = Math.max(0, looked - this.#granted - total(refused))
    return {
      ...{ granted: this.#granted, refused, looked, undecided, dropped },
      ...(ways && { ways: withUdp(looked, ways) }),
      ...(elsewhere && { elsewhere: elsewhere.packets }),
    }
  }

  /** What the receivers have got so far, and what passed them by. */
  reception(): Reception {
    const { looked, dropped, elsewhere } = sum(this.#past, this.#ofCurrent())
    return { received: looked + dropped, ...(elsewhere && { elsewhere }) }
  }

  #ended(grant: Grant, detail: string): void {
    this.#log.write('warning', 'grant ended', { detail, ...grantFields(grant) })
  }

  #record(level: ReturnType<typeof levelOf>, event: string, fields: Fields): void {
    const { text: _, message: __, ...kept } = fields
    this.#log.write(level, event, this.#shows.showsPackets ? fields : kept)
    this.#last.push({ time: this.#clocks.wall().toISOString(), ...kept })
    if (this.#last.length > REMEMBERED) this.#last = this.#last.slice(-REMEMBERED)
  }
}

/** A grant in the log, with the stanza that it had when it was made. */
export function grantFields(grant: Grant): Fields {
  return {
    stanza: grant.stanza,
    ...(grant.stanzaName !== undefined && { name: grant.stanzaName }),
    grant: grant.openings.map(describeOpening).join(','),
    for: grant.source,
    user: grant.username,
  }
}

function cameFrom({ packet, http, text, message }: Knock): Fields {
  return {
    ...origin(packet),
    via: http === true ? `${packet.way ?? 'udp'}/http` : (packet.way ?? 'udp'),
    ...(text !== undefined && { text, message: message as unknown as LogField }),
  }
}

/** ICMP has no ports. */
function origin({ source, sourcePort, destinationPort, way }: Knock['packet'] | RefusalNote): Fields {
  return way === 'icmp' || way === 'icmp6' ? { source } : { source, sourcePort, destinationPort }
}

/** The number of a stanza, and its name if it has one. An unknown number stands alone. */
function stanzaFields(stanza: StanzaId | undefined, names: StanzaNames): Fields {
  if (stanza === undefined) return {}
  const name = names.byId(stanza)?.name
  return { stanza, ...(name !== undefined && { name }) }
}

function sum(one: Tally, other: Tally): Tally {
  return {
    looked: one.looked + other.looked,
    dropped: one.dropped + other.dropped,
    refused: addCounts(one.refused, other.refused),
    ...((one.ways ?? other.ways) !== undefined && { ways: addCounts(one.ways ?? {}, other.ways ?? {}) }),
    ...((one.elsewhere ?? other.elsewhere) !== undefined && {
      elsewhere: {
        packets: (one.elsewhere?.packets ?? 0) + (other.elsewhere?.packets ?? 0),
        interfaceIndex: other.elsewhere?.interfaceIndex ?? one.elsewhere?.interfaceIndex ?? 0,
      },
    }),
  }
}

/** The numbers of all ways, with the one that is not told. */
function withUdp(looked: number, ways: WayCounts): WayCounts {
  const udp = looked - total(ways)
  return udp > 0 ? { udp, ...ways } : ways
}

function addCounts(one: Counts, other: Counts): Record<string, number> {
  const total: Record<string, number> = { ...one }
  for (const [code, count] of Object.entries(other)) total[code] = (total[code] ?? 0) + count
  return total
}

function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
