/** Questions about the history: filters, pages, sums. A long one is asked in windows: others get their turn between. */
import { setImmediate } from 'node:timers/promises'
import { failureKinds } from '../failure-codes.ts'
import type { KeptEvent } from './event.ts'
import { type History, WINDOW } from './history.ts'

export interface EventFilter {
  /** A text that some field of the event contains, upper and lower case alike. */
  readonly q?: string
  readonly verdict?: string
  readonly code?: string
  /** The user name in the packet, or the NAME of the stanza. */
  readonly user?: string
  /** Where the packet came from, or for whom it opens. */
  readonly source?: string
  readonly events?: readonly string[]
  /** Unix milliseconds. */
  readonly from?: number
  readonly to?: number
}

export const FILTER_FIELDS = ['q', 'verdict', 'code', 'user', 'source', 'event', 'from', 'to'] as const
const LONGEST_FIELD = 300

/** @returns undefined for a filter that cannot be understood. */
export function readFilter(query: ReadonlyMap<string, string>): EventFilter | undefined {
  if ([...query.values()].some((value) => value.length > LONGEST_FIELD)) return undefined
  const text = (name: string): string | undefined => query.get(name) || undefined
  const [from, to] = ['from', 'to'].map((name) => timeOf(text(name)))
  const verdict = text('verdict')
  if (Number.isNaN(from) || Number.isNaN(to)) return undefined
  if (verdict !== undefined && verdict !== 'granted' && verdict !== 'refused') return undefined
  const [q, code, user, source] = ['q', 'code', 'user', 'source'].map(text)
  const events = text('event')?.split(',')
  return {
    ...(q !== undefined && { q: q.toLowerCase() }),
    ...(verdict !== undefined && { verdict }),
    ...(code !== undefined && { code }),
    ...(user !== undefined && { user }),
    ...(source !== undefined && { source }),
    ...(events !== undefined && { events }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  }
}

/** @returns NaN for a text that is no time of RFC 3339. */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
}

export function fits(event: KeptEvent, filter: EventFilter): boolean {
  const { q, verdict, code, user, source, events, from, to } = filter
  const at = Date.parse(event.at)
  return (
    (verdict === undefined || event['verdict'] === verdict) &&
    (code === undefined || event['code'] === code) &&
    (user === undefined || event['user'] === user || event['name'] === user) &&
    (source === undefined || event['source'] === source || event['for'] === source) &&
    (events === undefined || events.includes(event.event)) &&
    (from === undefined || at >= from) &&
    (to === undefined || at <= to) &&
    (q === undefined || contains(event, q))
  )
}

function contains(value: unknown, q: string): boolean {
  if (typeof value === 'string') return value.toLowerCase().includes(q)
  if (typeof value === 'number') return `${value}`.includes(q)
  return typeof value === 'object' && value !== null && Object.values(value).some((one) => contains(one, q))
}

/** Of one answer: some tenths of a second. The page asks for more. */
const MOST_WINDOWS = 10

export interface EventPage {
  readonly events: readonly KeptEvent[]
  /** Where the next page begins; undefined: there is none. */
  readonly next: number | undefined
}

/** Newest first. A page may have fewer events than `most`, or none, and still a next one. */
export async function pageOf(history: History, filter: EventFilter, before: number, most: number): Promise<EventPage> {
  const isAll = Object.keys(filter).length === 0
  const size = isAll ? most : WINDOW
  const events: KeptEvent[] = []
  let at = before
  for (let windows = 0; windows < MOST_WINDOWS; windows++) {
    const rows = history.eventsBefore(at, size)
    for (const event of rows) {
      at = event.id
      if (!fits(event, filter)) continue
      events.push(event)
      if (events.length === most) return { events, next: at }
    }
    if (rows.length < size) return { events, next: undefined }
    await setImmediate()
  }
  return { events, next: at }
}

export interface RefusalSums {
  readonly steps: readonly { readonly at: string; readonly codes: Readonly<Record<string, number>> }[]
  readonly codes: readonly { readonly code: string; readonly count: number }[]
  readonly sources: readonly SourceSum[]
}

interface SourceSum {
  readonly source: string
  readonly count: number
  readonly last: string
  readonly codes: Readonly<Record<string, number>>
}

const MOST_SOURCES = 50
/** Of those that are summed: above, the sums are of the newest. */
const MOST_SUMMED = 20_000

/** Refusals by code, over time and by source. Those that the server only counted have no source. */
export async function sumRefusals(
  history: History,
  { from, to, step }: { readonly from: number; readonly to: number; readonly step: number },
): Promise<RefusalSums> {
  const steps = new Map<number, Record<string, number>>()
  const codes = new Map<string, number>()
  const sources = new Map<string, { count: number; last: number; codes: Record<string, number> }>()
  const add = (at: number, code: string, count: number): void => {
    const start = from + Math.floor((at - from) / step) * step
    const sums = steps.get(start) ?? {}
    sums[code] = (sums[code] ?? 0) + count
    steps.set(start, sums)
    codes.set(code, (codes.get(code) ?? 0) + count)
  }
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = history.rowsBefore(before, WINDOW)
    for (const { at, verdict, code, source, counts } of rows) {
      if (at < from || at > to) continue
      for (const [one, count] of Object.entries(counts ?? {})) add(at, one, count)
      if (verdict !== 'refused' || code === undefined || !Object.hasOwn(failureKinds, code)) continue
      add(at, code, 1)
      if (source === undefined) continue
      const sum = sources.get(source) ?? { count: 0, last: at, codes: {} }
      if (sources.size >= MOST_SUMMED && !sources.has(source)) continue
      sum.count++
      sum.last = Math.max(sum.last, at)
      sum.codes[code] = (sum.codes[code] ?? 0) + 1
      sources.set(source, sum)
    }
    before = rows.at(-1)?.id ?? 0
    if (rows.length < WINDOW || rows.every(({ at }) => at < from)) break
    await setImmediate()
  }
  return {
    steps: [...steps].sort(([one], [other]) => one - other).map(([at, sums]) => ({ at: timeText(at), codes: sums })),
    codes: [...codes].map(([code, count]) => ({ code, count })).sort((one, other) => other.count - one.count),
    sources: [...sources]
      .map(([source, { count, last, codes: sums }]) => ({ source, count, last: timeText(last), codes: sums }))
      .sort((one, other) => other.count - one.count)
      .slice(0, MOST_SOURCES),
  }
}

function timeText(at: number): string {
  return new Date(at).toISOString()
}
