/**
 * All that is counted while the logs are read, in bounded memory: days exactly; agents, paths and addresses as there is
 * room (`tally.ts`).
 */
import { type Agent, KnownAgents, type VisitorKind } from './agent.ts'
import { ownCopy } from './byte-text.ts'
import { mergedPath, withoutQuery } from './merge-path.ts'
import { isProbe } from './probe.ts'
import type { Request, Unit } from './request.ts'
import { isInTime, isSelected, Matcher } from './select.ts'
import { type Cell, Tallies, Tally } from './tally.ts'
import type { Visit } from './visit.ts'

/** `count`: all its visits in the time that is asked for. */
export interface AddressCell extends Cell {
  /** Visits that count in the report. */
  selected: number
  /** How many of its requests only a scanner sends. */
  probes: number
  /** On how many days it came, if the log is in the order of time. */
  days: number
  first: string
  last: string
  kind: VisitorKind
  /** The family of a crawler that it says to be; empty if it does not. */
  claims: string
}

export interface DayCount {
  /** All lines of the day. */
  seen: number
  /** Those that count. */
  selected: number
}

/** Room for each kind of thing, in bytes. All together are below the limit of 100 MB that docs/VISITORS.md promises. */
const ROOM = 3_000_000
const MOST_DAYS = 11_000
const MOST_LINES = 5_000
const MOST_LINE_BYTES = 4_000_000

const LENGTHS = { day: 10, month: 7, year: 4 } as const satisfies Record<Unit, number>

export function periodOf(day: string, unit: Unit): string {
  return day.slice(0, LENGTHS[unit])
}

export class Survey {
  readonly #request: Request
  readonly #agents = new KnownAgents()
  readonly #agent: Matcher | undefined
  readonly #notAgent: Matcher | undefined
  readonly #print: ((line: string) => void) | undefined
  readonly days = new Map<string, DayCount>()
  readonly agents = new Tallies(ROOM)
  readonly paths = new Tallies(ROOM)
  readonly statuses = new Tallies(ROOM / 8)
  readonly kinds = new Tallies(ROOM / 8)
  readonly addresses = new Tally<AddressCell>(ROOM, newAddress)
  /** Lines for --rest, by period. */
  readonly rest = new Map<string, string[]>()
  #restCount = 0
  #restBytes = 0
  /** Lines that --rest has no room for. */
  restLost = 0
  /** The first and the last day of the logs; empty if there is none. */
  first = ''
  last = ''
  /** Visits that are left of the selection. */
  selected = 0
  /** Visits in the time that is asked for. */
  seen = 0
  /** Visits on days that there was no room for. */
  lostDays = 0
  #day = ''
  #dayCount: DayCount | undefined
  #period = ''

  /** @param print for --lines. */
  constructor(request: Request, print?: (line: string) => void) {
    this.#request = request
    this.#print = print
    const { agent, notAgent } = request.selection
    this.#agent = agent && new Matcher(agent)
    this.#notAgent = notAgent && new Matcher(notAgent)
  }

  add(visit: Visit, line: string): void {
    const { selection, agents, mergePaths, noQuery, reports } = this.#request
    if (visit.day !== this.#day && !this.#isInTime(visit.day)) return
    this.seen++
    if (visit.day !== this.#day) this.#begin(visit.day)
    const day = this.#dayCount
    if (day === undefined) this.lostDays++
    else day.seen++

    const agent = this.#agents.get(visit.agent.slice(0, LONGEST_AGENT), ownCopy)
    const path = mergePaths ? mergedPath(visit.target, !noQuery) : noQuery ? withoutQuery(visit.target) : visit.target
    const address = this.addresses.add(visit.address)
    const kind = this.#note(address, visit, agent)

    if (this.#notAgent?.matches(visit.agent, ownCopy) === true) return
    if (!isSelected(selection, visit, path, line, { kind })) return
    if (this.#agent?.matches(visit.agent, ownCopy) === false) {
      if (this.#request.rest) this.#keepRest(line)
      return
    }
    this.selected++
    address.selected++
    if (day !== undefined) day.selected++
    if (this.#print !== undefined) {
      this.#print(line)
      return
    }
    const period = this.#period
    if (reports.has('agents')) this.agents.add(period, agents === 'full' ? visit.agent || '-' : agent[agents])
    if (reports.has('kinds')) this.kinds.add(period, kind)
    if (reports.has('paths')) this.paths.add(period, path || '-')
    if (reports.has('statuses')) this.statuses.add(period, visit.status === 0 ? '-' : String(visit.status))
  }

  /** What an address does. @returns what it is, as far as is known by now: one probe makes all that follows a scan. */
  #note(address: AddressCell, visit: Visit, agent: Agent): VisitorKind {
    if (address.last !== this.#day) {
      if (address.first === '' || this.#day < address.first) address.first = this.#day
      if (this.#day > address.last) {
        address.last = this.#day
        address.days++
      }
    }
    const isCrawler = agent.kind === 'crawler'
    if (agent.kind === 'scanner' || isProbe(visit.target, visit.status, isCrawler)) address.probes++
    if (isCrawler && address.claims === '') address.claims = agent.family
    address.kind = address.probes > 0 ? 'scanner' : agent.kind
    return address.kind
  }

  /** Days of all visits, also of those that --since and --until leave out. */
  #isInTime(day: string): boolean {
    if (this.first === '' || day < this.first) this.first = ownCopy(day)
    if (day > this.last) this.last = ownCopy(day)
    return isInTime(day, this.#request.selection)
  }

  #begin(day: string): void {
    this.#day = ownCopy(day)
    this.#period = this.#request.eachPeriod ? periodOf(this.#day, this.#request.unit) : ''
    let count = this.days.get(this.#day)
    if (count === undefined && this.days.size < MOST_DAYS) {
      count = { seen: 0, selected: 0 }
      this.days.set(this.#day, count)
    }
    this.#dayCount = count
  }

  #keepRest(line: string): void {
    if (this.#restCount >= MOST_LINES || this.#restBytes + line.length > MOST_LINE_BYTES) {
      this.restLost++
      return
    }
    const period = periodOf(this.#day, this.#request.unit)
    const lines = this.rest.get(period)
    if (lines === undefined) this.rest.set(period, [ownCopy(line)])
    else lines.push(ownCopy(line))
    this.#restCount++
    this.#restBytes += line.length
  }
}

/** As long as the keys of a tally: so much of an agent decides what it is. */
const LONGEST_AGENT = 1_000

function newAddress(missing: number): AddressCell {
  return { count: 0, missing, selected: 0, probes: 0, days: 0, first: '', last: '', kind: 'unknown', claims: '' }
}
