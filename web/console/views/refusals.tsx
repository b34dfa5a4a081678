/** Refusals by code and by source, over time. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { Choice } from '../../shared/field.tsx'
import { now } from '../../shared/now.ts'
import type { Refusals } from '../api.ts'
import { BarChart } from '../parts/bar-chart.tsx'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { type Column, Table } from '../parts/table.tsx'
import { Tools } from '../parts/tools.tsx'
import { capital } from '../texts/events.ts'
import { reasonOf } from '../texts/reasons.ts'
import { chartOf, OTHER } from '../texts/refusal-chart.ts'
import { ago, moment } from '../texts/times.ts'
import { addressOf } from '../where.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** How far back, and the time of one bar. */
const SPANS = {
  hour: { text: 'the last hour', back: HOUR, step: 2 * MINUTE },
  day: { text: 'the last day', back: DAY, step: HOUR },
  week: { text: 'the last week', back: 7 * DAY, step: 6 * HOUR },
  month: { text: 'the last 30 days', back: 30 * DAY, step: DAY },
} as const
type SpanName = keyof typeof SPANS
const NAMES = Object.keys(SPANS) as SpanName[]

export function RefusalsView(): JSX.Element {
  const name = useSignal<SpanName>('day')
  const asked = useSignal(0)
  const { back, step, text } = SPANS[name.value]
  const { from, to } = useMemo(() => {
    const end = Math.ceil(Date.now() / step) * step
    return { from: end - back, to: end }
  }, [back, step, asked.value])
  const query = new URLSearchParams({
    ...{ from: new Date(from).toISOString(), to: new Date(to).toISOString(), step: String(step / 1000) },
  })
  const { value, failure } = useFetched<Refusals>(`/v1/refusals?${query}`, asked.value)
  const found = value.value
  const chart = found === undefined ? undefined : chartOf(found, from, to, step)
  const total = found?.codes.reduce((sum, { count }) => sum + count, 0)
  const timeText = (at: number): string =>
    step < HOUR * 6
      ? new Date(at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
      : new Date(at).toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
  return (
    <>
      <Tools title="Refusals" count={total === undefined ? '' : `${total} in ${text}`}>
        <Choice
          id="span"
          label="In"
          value={name.value}
          choices={NAMES.map((it) => [it, SPANS[it].text])}
          onChange={(value) => {
            name.value = NAMES.find((it) => it === value) ?? 'day'
          }}
        />
        <button
          class="button"
          type="button"
          onClick={() => {
            asked.value++
          }}
        >
          Look again
        </button>
      </Tools>
      <Failure failure={failure.value} />
      <section class="card stack chart-card">
        <h2>Over time</h2>
        {chart !== undefined && (
          <>
            <BarChart
              chart={chart}
              label={`Refusals in ${text}, by time: ${total} in all. The tables below have the numbers.`}
              timeText={timeText}
            />
            <ul class="legend">
              {chart.codes.map((code, i) => (
                <li key={code}>
                  <svg width="14" height="14" aria-hidden="true" focusable="false">
                    <rect class={`part part-${i}`} width="14" height="14" />
                  </svg>
                  {code === OTHER ? 'other codes' : <code>{code}</code>}
                </li>
              ))}
            </ul>
            <details>
              <summary>As a table</summary>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it */}
              <section class="scroll" aria-label="Refusals over time" tabIndex={0}>
                <table class="plain-table">
                  <thead>
                    <tr>
                      <th scope="col">From</th>
                      {chart.codes.map((code) => (
                        <th key={code} scope="col">
                          {code}
                        </th>
                      ))}
                      <th scope="col">All</th>
                    </tr>
                  </thead>
                  <tbody>
                    {chart.bars
                      .filter((bar) => bar.total > 0)
                      .map((bar) => (
                        <tr key={bar.at}>
                          <th scope="row">{moment(new Date(bar.at).toISOString())}</th>
                          {bar.parts.map((count, i) => (
                            <td key={i}>{count}</td>
                          ))}
                          <td>{bar.total}</td>
                        </tr>
                      ))}
                  </tbody>
                </table>
              </section>
            </details>
          </>
        )}
      </section>
      {found !== undefined && (
        <>
          <section class="stack">
            <h2>By code</h2>
            <Table
              label="Refusals by code"
              kind="codes"
              columns={BY_CODE}
              rows={found.codes}
              rowKey={({ code }) => code}
              empty={`Nothing was refused in ${text}.`}
            />
          </section>
          <section class="stack">
            <h2>By source</h2>
            <Table
              label="Refusals by source"
              kind="sources"
              columns={BY_SOURCE}
              rows={found.sources}
              rowKey={({ source }) => source}
              empty={`Nothing was refused in ${text}.`}
            />
          </section>
        </>
      )}
    </>
  )
}

const COUNT: Column<{ readonly count: number }> = {
  name: 'Refusals',
  class: 'c-count',
  cell: ({ count }) => <span class="time">{count}</span>,
}

/** @param by the filter of the history that finds the refusals of a row. */
function inHistory<By extends 'code' | 'source'>(by: By): Column<{ readonly [name in By]: string }> {
  return {
    name: 'Actions',
    isSilent: true,
    class: 'c-do',
    cell: ({ [by]: value }) => (
      <a class="button small" href={addressOf('history', undefined, { [by]: value })}>
        Show<span class="hidden"> {value}</span>
      </a>
    ),
  }
}

const BY_CODE: readonly Column<Refusals['codes'][number]>[] = [
  {
    name: 'Code',
    class: 'c-main',
    cell: ({ code }) => (
      <>
        <span class="cut">{capital(reasonOf(code) ?? code)}</span>
        <span class="cut soft small mono">{code}</span>
      </>
    ),
  },
  COUNT,
  inHistory('code'),
]

const BY_SOURCE: readonly Column<Refusals['sources'][number]>[] = [
  {
    name: 'Source',
    class: 'c-main',
    cell: ({ source, codes }) => (
      <>
        <bdi class="address cut">{source}</bdi>
        <span class="cut soft small">{Object.keys(codes).join(', ')}</span>
      </>
    ),
  },
  COUNT,
  {
    name: 'Last',
    class: 'c-last',
    cell: ({ last }) => (
      <time class="soft" dateTime={last}>
        {ago(last, now.value)}
      </time>
    ),
  },
  inHistory('source'),
]
