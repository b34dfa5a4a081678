/** The filters of the history, and where they are written: in the address of the view, and in the request. Pure. */

export const FILTERS = ['q', 'verdict', 'code', 'user', 'source', 'event', 'from', 'to'] as const
export type Filters = { readonly [name in (typeof FILTERS)[number]]?: string }

/** Rows of a page. */
export const PAGE = 100

export function filtersIn(query: Readonly<Record<string, string>>): Filters {
  const found = FILTERS.flatMap((name) => {
    const value = query[name]?.trim() ?? ''
    return value === '' ? [] : [[name, value]]
  })
  return Object.fromEntries(found)
}

/** @param before events older than this one. @returns the query of `/v1/history` and of its export. */
export function historyQuery(filters: Filters, before?: number): string {
  const query = new URLSearchParams()
  for (const name of FILTERS) {
    const value = filters[name]
    if (value === undefined || value === '') continue
    query.set(name, name === 'from' || name === 'to' ? (utc(value) ?? value) : value)
  }
  if (before !== undefined) query.set('before', String(before))
  return query.toString()
}

/** @param local as `<input type="datetime-local">` gives it. */
function utc(local: string): string | undefined {
  const date = new Date(local)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
