/** What was counted, as reports. */
import type { VisitorKind } from './agent.ts'
import { shownText } from './byte-text.ts'
import type { Column, Section, Value } from './report.ts'
import type { Request } from './request.ts'
import { type AddressCell, periodOf, type Survey } from './survey.ts'
import type { Cell, Counted, Tally } from './tally.ts'

const HITS: Column = { name: 'hits', kind: 'count' }
const PERCENT: Column = { name: 'percent', kind: 'percent' }

/** Hits of each period, and hits a day: a day counts if the log has any line of it. */
export function hitsSection(survey: Survey, { unit }: Request): Section {
  const periods = new Map<string, { hits: number; days: number }>()
  const total = { hits: 0, days: 0 }
  for (const [day, { selected }] of [...survey.days].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const name = periodOf(day, unit)
    const period = periods.get(name) ?? { hits: 0, days: 0 }
    periods.set(name, period)
    for (const each of [period, total]) {
      each.hits += selected
      each.days++
    }
  }
  const row = (name: string, { hits, days }: typeof total): Value[] =>
    unit === 'day' ? [name, hits] : [name, hits, days, days === 0 ? 0 : Math.floor(hits / days)]
  const columns: readonly Column[] = [{ name: unit, kind: 'text' }, HITS]
  const perDay: readonly Column[] = [
    { name: 'days', kind: 'count' },
    { name: 'hits a day', kind: 'count' },
  ]
  const perDayInAll = total.days === 0 ? 0 : Math.floor(total.hits / total.days)
  return {
    report: 'hits',
    title: unit === 'day' ? 'Hits by day' : `Hits a day by ${unit}`,
    columns: unit === 'day' ? columns : [...columns, ...perDay],
    rows: [...periods].map(([name, period]) => row(name, period)),
    chart: unit === 'day' ? 1 : 3,
    notes: [`in all: ${total.hits} hits on ${plural(total.days, 'day')}, ${perDayInAll} a day`],
  }
}

/** The most frequent agents, and the ratio of the first to the second. */
export function* agentSections(survey: Survey, request: Request): Iterable<Section> {
  const hitsOf = hitsByPeriod(survey, request)
  for (const [period, tally] of survey.agents.periods()) {
    const all = tally.top(Number.POSITIVE_INFINITY)
    const total = hitsOf(period)
    const shown = all.slice(0, request.top)
    const [first, second] = all
    const ratio = first && second && ratioOf(first, second)
    yield {
      report: 'agents',
      title: `Agents${inPeriod(period)}: ${total} hits`,
      ...(period !== '' && { period }),
      columns: [HITS, PERCENT, { name: 'agent', kind: 'text' }],
      rows: shown.map(({ key, cell }) => [count(cell), percent(cell.count, total), shownText(key)]),
      notes: [
        ...(ratio === undefined ? [] : [`first to second: ${ratio}`]),
        ...more(all.length - shown.length),
        ...bounds(tally, shown),
      ],
    }
  }
}

/** `478063/11299 = 42.3`. */
export function ratioOf(first: Counted, second: Counted): string {
  return `${first.cell.count}/${second.cell.count} = ${(first.cell.count / second.cell.count).toFixed(1)}`
}

export function* pathSections(survey: Survey, request: Request): Iterable<Section> {
  const hitsOf = hitsByPeriod(survey, request)
  for (const [period, tally] of survey.paths.periods()) {
    const total = hitsOf(period)
    const shown = tally.top(request.top)
    yield {
      report: 'paths',
      title: `Paths${inPeriod(period)}: ${total} hits`,
      ...(period !== '' && { period }),
      columns: [HITS, PERCENT, { name: 'path', kind: 'text' }],
      rows: shown.map(({ key, cell }) => [count(cell), percent(cell.count, total), shownText(key)]),
      notes: [...more(tally.size - shown.length), ...bounds(tally, shown)],
    }
  }
}

export function* statusSections(survey: Survey, request: Request): Iterable<Section> {
  const hitsOf = hitsByPeriod(survey, request)
  for (const [period, tally] of survey.statuses.periods())
    yield {
      report: 'statuses',
      title: `Statuses${inPeriod(period)}`,
      ...(period !== '' && { period }),
      columns: [HITS, PERCENT, { name: 'status', kind: 'text' }],
      rows: tally.top(request.top).map(({ key, cell }) => [count(cell), percent(cell.count, hitsOf(period)), key]),
      notes: bounds(tally, tally.top(request.top)),
    }
}

const KIND_NAMES: Readonly<Record<VisitorKind, string>> = {
  scanner: 'scanners',
  crawler: 'crawlers',
  person: 'people',
  program: 'programs',
  unknown: 'unknown',
}

/** Scanners apart from crawlers apart from people. */
export function* kindSections(survey: Survey, request: Request): Iterable<Section> {
  const hitsOf = hitsByPeriod(survey, request)
  const addresses = new Map<VisitorKind, number>()
  for (const [, { kind, selected }] of survey.addresses)
    if (selected > 0) addresses.set(kind, (addresses.get(kind) ?? 0) + 1)
  const isWhole = survey.addresses.missing === 0
  for (const [period, tally] of survey.kinds.periods()) {
    const total = hitsOf(period)
    const columns: readonly Column[] = [HITS, PERCENT, { name: 'visitors', kind: 'text' }]
    const rows = (Object.keys(KIND_NAMES) as VisitorKind[]).map((kind): Value[] => {
      const hits = tally.get(kind)?.count ?? 0
      const known = addresses.get(kind) ?? 0
      const row = [hits, percent(hits, total), KIND_NAMES[kind]]
      // Of each period, addresses are not counted.
      return period === '' ? [...row, isWhole ? known : { atLeast: known }] : row
    })
    yield {
      report: 'kinds',
      title: `Scanners, crawlers, people${inPeriod(period)}`,
      ...(period !== '' && { period }),
      columns: period === '' ? [...columns, { name: 'addresses', kind: 'count' }] : columns,
      rows,
      notes: [],
    }
  }
}

export function addressSection(survey: Survey, { top }: Request): Section {
  const { addresses } = survey
  const shown = addresses.top(top, ({ selected }) => selected)
  const all = [...addresses].filter(([, { selected }]) => selected > 0).length
  return {
    report: 'addresses',
    title: 'Addresses',
    columns: [
      HITS,
      PERCENT,
      { name: 'address', kind: 'text' },
      { name: 'kind', kind: 'text' },
      { name: 'probes', kind: 'count' },
      { name: 'days', kind: 'count' },
      { name: 'first', kind: 'text' },
      { name: 'last', kind: 'text' },
    ],
    rows: shown.map(({ key, cell }) => [
      atLeast(cell.selected, cell),
      percent(cell.selected, survey.selected),
      shownText(key),
      cell.kind,
      cell.probes,
      cell.days,
      cell.first,
      cell.last,
    ]),
    notes: [...more(all - shown.length), ...bounds(addresses, shown)],
  }
}

/** The hits of each period; those of the whole time have the name of none. */
function hitsByPeriod(survey: Survey, { eachPeriod, unit }: Request): (period: string) => number {
  if (!eachPeriod) return () => survey.selected
  const hits = new Map<string, number>()
  for (const [day, { selected }] of survey.days) {
    const period = periodOf(day, unit)
    hits.set(period, (hits.get(period) ?? 0) + selected)
  }
  return (period) => hits.get(period) ?? 0
}

function inPeriod(period: string): string {
  return period === '' ? '' : `, ${period}`
}

export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}

function count(cell: Cell): Value {
  return atLeast(cell.count, cell)
}

export function atLeast(known: number, { missing }: Cell): Value {
  return missing === 0 ? known : { atLeast: known }
}

function more(left: number): readonly string[] {
  return left > 0 ? [`${left} more: --top 0 shows all`] : []
}

/** Which counts are bounds, and how far from the truth they may be. */
export function bounds(tally: Tally<Cell & AddressCell> | Tally, shown: readonly Counted[]): readonly string[] {
  if (tally.missing === 0) return []
  const inexact = shown.some(({ cell }) => cell.missing > 0)
  return [
    `there are too many different ones to keep all: what is not shown came ${tally.missing} times at most`,
    ...(inexact ? [`≥: at least so many, and ${Math.max(...shown.map(({ cell }) => cell.missing))} more at most`] : []),
  ]
}

export function plural(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
