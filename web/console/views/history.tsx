/** All that happened, for as long as the console keeps it: filtered, page by page, and as a file. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Choice, Field } from '../../shared/field.tsx'
import { type Failed, type HistoryPage, send } from '../api.ts'
import { EventTable } from '../parts/event-table.tsx'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { Pages, usePages } from '../parts/pages.tsx'
import { Tools } from '../parts/tools.tsx'
import { type Filters, filtersIn, historyQuery, PAGE } from '../texts/history.ts'
import { moment } from '../texts/times.ts'
import { addressOf, go } from '../where.ts'

const VERDICTS = [
  ['', 'all'],
  ['granted', 'granted'],
  ['refused', 'refused'],
] as const

export function History({ query }: { readonly query: Readonly<Record<string, string>> }): JSX.Element {
  const filters = filtersIn(query)
  const key = historyQuery(filters)
  const turned = usePages(key)
  const asked = historyQuery(filters, turned.value.at(-1))
  const { value, failure } = useFetched<HistoryPage>(`/v1/history?limit=${PAGE}${asked === '' ? '' : `&${asked}`}`)
  const page = value.value
  return (
    <>
      <Tools title="History" count={page === undefined ? '' : `${page.kept} kept`}>
        <search>
          <Search key={key} filters={filters} />
        </search>
      </Tools>
      <Failure failure={failure.value} />
      <EventTable
        label="History, newest first"
        events={page?.events ?? []}
        empty={page === undefined ? 'Looking…' : 'Nothing matches these filters.'}
        isPast
      />
      {page !== undefined && (
        <Pages turned={turned} next={page.next}>
          <span class="soft small">{page.oldest != null && <>Kept since {moment(page.oldest)}</>}</span>
        </Pages>
      )}
      {page !== undefined && <Export filters={filters} />}
    </>
  )
}

const MORE = ['user', 'source', 'code', 'from', 'to'] as const

function Search({ filters }: { readonly filters: Filters }): JSX.Element {
  const draft = useSignal<Filters>(filters)
  // A phone has no room for them all above what they find.
  const isOpen = matchMedia('(min-width: 64rem)').matches || MORE.some((name) => filters[name] !== undefined)
  const field = (name: keyof Filters) => ({
    value: draft.value[name] ?? '',
    onInput: (value: string) => {
      draft.value = { ...draft.value, [name]: value }
    },
  })
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault()
        go(addressOf('history', undefined, filtersIn(draft.value as Readonly<Record<string, string>>)))
      }}
    >
      <Field id="q" label="Words" placeholder="Any text of the event" {...field('q')} />
      <Choice
        id="verdict"
        label="Verdict"
        value={draft.value.verdict ?? ''}
        choices={VERDICTS}
        onChange={field('verdict').onInput}
      />
      <details class="all" open={isOpen}>
        <summary>More filters</summary>
        <div class="search">
          <Field id="user" label="User" {...field('user')} />
          <Field id="source" label="Address" mono {...field('source')} />
          <Field id="code" label="Code" mono {...field('code')} />
          <Field id="from" label="From" type="datetime-local" {...field('from')} />
          <Field id="to" label="Until" type="datetime-local" {...field('to')} />
        </div>
      </details>
      <div class="row end">
        <button class="button first" type="submit">
          Find
        </button>
        <a class="button" href={addressOf('history')}>
          All
        </a>
      </div>
    </form>
  )
}

function Export({ filters }: { readonly filters: Filters }): JSX.Element {
  const failure = useSignal<Failed | undefined>(undefined)
  const isBusy = useSignal(false)
  const take = async (format: 'csv' | 'jsonl'): Promise<void> => {
    if (isBusy.value) return
    isBusy.value = true
    const query = historyQuery(filters)
    const response = await send('GET', `/v1/history/export?format=${format}${query === '' ? '' : `&${query}`}`)
    if (response?.ok === true) {
      failure.value = undefined
      save(await response.blob(), `ghostport-history.${format}`)
    } else
      failure.value = { code: 'EXPORT', detail: `The file could not be made (status ${response?.status ?? 'none'}).` }
    isBusy.value = false
  }
  return (
    <section class="row" aria-label="Export">
      <span class="soft">All that these filters find, as a file:</span>
      <button class="button" type="button" aria-disabled={isBusy.value} onClick={() => void take('csv')}>
        CSV
      </button>
      <button class="button" type="button" aria-disabled={isBusy.value} onClick={() => void take('jsonl')}>
        JSON lines
      </button>
      <Failure failure={failure.value} />
    </section>
  )
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content)
  const anchor = document.createElement('a')
  anchor.href = address
  anchor.download = name
  anchor.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}
