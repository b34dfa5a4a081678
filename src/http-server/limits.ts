/** How much one source, and all together, may take of an HTTP server. */
import { type Milliseconds, milliseconds } from '../units.ts'

export interface HttpLimits {
  /** Open connections, of all sources. */
  readonly connections: number
  /** Open connections of one source: an IPv4 address, or an IPv6 network of 64 bits. Named proxies are exempt. */
  readonly connectionsPerSource: number
  /** Requests that wait for their answer, of one source. */
  readonly waitingPerSource: number
  /** Requests that wait for their answer, of all sources. */
  readonly waiting: number
  /** Requests of one source in a row, without a pause. */
  readonly burstPerSource: number
  /** Requests a second of one source, over time. */
  readonly ratePerSource: number
  /** Request line and headers, in bytes. */
  readonly headBytes: number
  /** Path and query, in bytes. */
  readonly targetBytes: number
  readonly headers: number
  /** From the first byte of a connection, or of a request, to the end of its headers. */
  readonly headTime: Milliseconds
  /** From the first byte of a request to the end of its body. */
  readonly requestTime: Milliseconds
  /** How long a connection without a request is kept. */
  readonly idleTime: Milliseconds
  /** From the start of an answer until the visitor has taken all of it. Streams are exempt. */
  readonly replyTime: Milliseconds
  readonly requestsPerConnection: number
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  connections: 1024,
  connectionsPerSource: 32,
  waitingPerSource: 16,
  waiting: 4096,
  burstPerSource: 60,
  ratePerSource: 20,
  headBytes: 8 * 1024,
  targetBytes: 1024,
  headers: 64,
  headTime: milliseconds(5_000),
  requestTime: milliseconds(10_000),
  idleTime: milliseconds(5_000),
  replyTime: milliseconds(30_000),
  requestsPerConnection: 1_000,
}
