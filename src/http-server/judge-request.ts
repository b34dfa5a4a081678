/** Which route a request is for, and whether it may be sent there: by host, page, query, and type of the body. */
import { judgePage } from './cross-site.ts'
import { type HostName, judgeHost } from './host-list.ts'
import { judgeBodyHead } from './request-body.ts'
import { type Head, parseFields } from './request-head.ts'
import type { HttpReply, Route, RouteTable } from './route.ts'

/** What does not change from one request to the next. */
export interface RequestRules {
  /** At least one, or nobody is answered. */
  readonly hosts: readonly HostName[]
  /** Origins of other pages that may use the routes `from: 'named'`. `null`: pages from a file. */
  readonly origins?: readonly string[]
}

export interface JudgedRequest {
  readonly found: Route
  readonly query: ReadonlyMap<string, string>
  /** The origin whose pages may read the answer, if it is not ours. */
  readonly readableBy: string | undefined
}

/** A refusal: its status, and one word for it. */
export interface Refusal {
  readonly status: number
  readonly error: string
  readonly headers?: HttpReply['headers']
}

type RefusedRequest = Refusal & { readonly readableBy: string | undefined }

/** @param secure whether the visitor came over HTTPS. */
export function judgeRequest(
  head: Head,
  secure: boolean,
  routes: RouteTable,
  { hosts, origins = [] }: RequestRules,
): JudgedRequest | RefusedRequest {
  const unreadable = { readableBy: undefined }
  const host = headerOf(head, 'host') ?? ''
  if (judgeHost(host, hosts) === undefined) return { status: 421, error: 'host', ...unreadable }
  const methods = routes.at(head.path)
  if (methods === undefined) return { status: 404, error: 'path', ...unreadable }
  const isPreflight = head.method === 'OPTIONS'
  const method = isPreflight ? headerOf(head, 'access-control-request-method') : head.method
  const found = methods.get(method === 'HEAD' ? 'GET' : (method ?? ''))
  if (found === undefined && isPreflight) return { status: 403, error: 'origin', ...unreadable }
  if (found === undefined)
    return { status: 405, error: 'method', headers: { allow: [...methods.keys()].join(', ') }, ...unreadable }
  const judged = judgePage(
    { origin: headerOf(head, 'origin'), fetchSite: headerOf(head, 'sec-fetch-site') },
    found.from,
    found.method === 'POST',
    { own: `${secure ? 'https' : 'http'}://${host.toLowerCase()}`, named: origins },
  )
  if (judged === 'foreign' || (isPreflight && judged.readableBy === undefined))
    return { status: 403, error: 'origin', ...unreadable }
  const { readableBy } = judged
  const query = head.query === undefined ? new Map<string, string>() : parseFields(head.query)
  if (query === undefined || [...query.keys()].some((name) => found.query?.includes(name) !== true))
    return { status: 400, error: 'query', readableBy }
  const body = isPreflight ? undefined : judgeBodyHead(found.body, headerOf(head, 'content-type'), head.length)
  return body === undefined ? { found, query, readableBy } : { ...body, readableBy }
}

/** The value of a header that came exactly once. */
export function headerOf({ headers }: Head, name: string): string | undefined {
  const values = headers.get(name)
  return values?.length === 1 ? values[0] : undefined
}
