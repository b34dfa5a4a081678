/**
 * The routes of an HTTP server as a typed table: method and exact path → what may be sent there, who may send it, and
 * what answers. A path has no parameters and no patterns. What varies is in the body or in the query.
 */
import { jsonLine } from '../bytes/text.ts'
import type { Reader } from '../json-reader.ts'
import type { IpAddress } from '../packet/address.ts'
import type { PagePermissions } from './security-headers.ts'

/** What a handler gets of a request that passed all checks. */
export interface HttpRequest<Body> {
  /** As {@link Route.body} read it; undefined where the route takes none. */
  readonly body: Body
  /** The fields of the query, each at most once. */
  readonly query: ReadonlyMap<string, string>
  /** The visitor's address; behind named proxies, what they forward. Undefined over a Unix socket without a proxy. */
  readonly source: IpAddress | undefined
  /** Whether the visitor's side is encrypted: over TLS, or behind a named proxy that says so. */
  readonly secure: boolean
  /** The value of a header that came exactly once. @param name in lower case. */
  header(name: string): string | undefined
  /** Ends when the visitor is gone, or when the server stops. */
  readonly signal: AbortSignal
}

/** What is answered. Every reply gets the security headers of `security-headers.ts`. */
export interface HttpReply {
  readonly status: number
  /** In lower case. They replace those of the same name that every reply has. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** Done once the answer is with the system, or cannot be delivered any more: nothing of it can show in its time. */
  readonly afterwards?: () => void
  /**
   * In place of `body`: an answer that goes on (`text/event-stream`). It ends when this returns. Where it throws, the
   * connection is cut: a visitor must not take a part for the whole. {@link Incomplete} is not logged as a fault.
   */
  readonly stream?: (write: (text: string) => Promise<void>) => Promise<void>
}

/** A stream ends before its end, and nothing is wrong here: the visitor does not read, or may not read on. */
export class Incomplete extends Error {}

/** A body that a route takes. */
export type BodyRule<Body> =
  | { readonly kind: 'none' }
  /** `application/json`, in UTF-8. The reader gets the value, and decides. */
  | { readonly kind: 'json'; readonly read: Reader<Body>; readonly most: number }
  /** `application/x-www-form-urlencoded`, of a plain HTML form. The reader gets each field, none of them twice. */
  | {
      readonly kind: 'form'
      readonly read: (fields: ReadonlyMap<string, string>) => Body | undefined
      readonly most: number
    }

/**
 * Pages of which origins may use a route: only our own; also those that the server was told of; all. A program that is
 * no browser may always do so. `any` and `named` must not depend on cookies.
 */
export type CrossOrigin = 'own' | 'named' | 'any'

/** One route. {@link route} makes it. */
export interface Route<Body = unknown> {
  readonly method: 'GET' | 'POST'
  /** From the `/` on, exactly as it is requested. */
  readonly path: string
  readonly from: CrossOrigin
  readonly body: BodyRule<Body>
  /** Names of query fields that are allowed. A request with another one is refused. */
  readonly query?: readonly string[]
  /** What the page may do that it answers with. Absent: nothing. */
  readonly page?: PagePermissions
  readonly handle: (request: HttpRequest<Body>) => HttpReply | Promise<HttpReply>
}

/** Hides the type of the body. That is safe: only the route's own reader makes what its handler gets. */
export function route<Body>(made: Route<Body>): Route {
  return made as Route
}

/** Path → method → route. @throws Error for two routes of the same method and path, which is a mistake of ours. */
export class RouteTable {
  readonly #paths = new Map<string, Map<string, Route>>()

  constructor(routes: readonly Route[]) {
    for (const one of routes) {
      const methods = this.#paths.get(one.path) ?? new Map<string, Route>()
      if (methods.has(one.method)) throw new Error(`two routes for ${one.method} ${one.path}`)
      methods.set(one.method, one)
      this.#paths.set(one.path, methods)
    }
  }

  /** @returns undefined if nothing has this path. */
  at(path: string): ReadonlyMap<string, Route> | undefined {
    return this.#paths.get(path)
  }
}

/** A reply of JSON. */
export function jsonReply(status: number, value: unknown, headers: HttpReply['headers'] = {}): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: jsonLine(value),
  }
}

/** A refusal: JSON with one word for programs, `{"error":"…"}`. */
export function errorReply(status: number, error: string, headers: HttpReply['headers'] = {}): HttpReply {
  return jsonReply(status, { error }, headers)
}
