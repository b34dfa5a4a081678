/**
 * One request of gRPC over HTTP/2, as its specification says: each message has its length before it, and the end of the
 * answer has a status. Nothing is decompressed. What a member may answer is bounded: in time, in its head and in its
 * body.
 */
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { printable } from '../bytes/text.ts'
import type { Milliseconds } from '../units.ts'
import { connectionReason } from './connection-reason.ts'
import { GrowingBytes } from './growing-bytes.ts'
import type { Session } from './sessions.ts'

/** Before each message: one byte that says whether it is compressed, and its length. */
const PREFIX = 5
const ENDED = 'the connection ended without an answer'
export const NOT_OF_ETCD = 'an answer that is none of etcd'
/** How the reason begins where a message is longer than it may be. */
export const TOO_LONG = 'an answer of more than '

export interface GrpcRequest {
  /** Such as `/etcdserverpb.KV/Txn`. */
  readonly path: string
  readonly message: Uint8Array
  readonly token?: string | undefined
}

/** How a request ended: well (0), or with another status of gRPC; or no status came. */
export type GrpcEnd = { readonly status: number; readonly why: string } | { readonly why: string }

interface Exchange {
  /** In bytes, of one message of the answer. */
  readonly longest: number
  /** Each message as it comes. Another one may follow until the end. */
  readonly onMessage: (message: Uint8Array) => void
  /** Called once. */
  readonly onEnd: (end: GrpcEnd) => void
}

/**
 * @param isOpen the request goes on: more could be asked.
 * @returns what ends it without an answer.
 */
export function beginRequest(
  session: Session,
  { path, message, token }: GrpcRequest,
  { longest, onMessage, onEnd }: Exchange,
  isOpen = false,
): (why: string) => void {
  let ended = false
  let stream: ClientHttp2Stream | undefined
  const end = (how: GrpcEnd): void => {
    if (ended) return
    ended = true
    onEnd({ ...how, why: printable(how.why).slice(0, 300) })
    stream?.close()
  }
  try {
    stream = session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      ...(token !== undefined && { token }),
    })
  } catch {
    end({ why: session.why ?? ENDED })
    return () => {}
  }
  const messages = new Messages(longest)
  let problem: string | undefined
  stream.on('response', (head) => {
    if (head[':status'] !== 200) end({ why: `${NOT_OF_ETCD}, with status ${head[':status']}` })
    // An answer without messages has its status here.
    else if (head['grpc-status'] !== undefined) end(endOf(head))
    else if (!`${head['content-type']}`.startsWith('application/grpc')) end({ why: NOT_OF_ETCD })
  })
  stream.on('data', (part: Buffer) => {
    if (ended) return
    const whole = messages.push(part)
    if (typeof whole === 'string') return end({ why: whole })
    for (const one of whole) if (!ended) onMessage(one)
  })
  stream.on('trailers', (trailers) => end(endOf(trailers)))
  stream.on('error', (error) => {
    problem = connectionReason(error)
  })
  stream.on('close', () => end({ why: session.why ?? problem ?? ENDED }))
  const framed = Buffer.allocUnsafe(PREFIX + message.length)
  framed[0] = 0
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, PREFIX)
  if (isOpen) stream.write(framed)
  else stream.end(framed)
  return (why) => end({ why })
}

/** A request with one answer. Never rejects. @returns the answer; else how it ended without one, and never with 0. */
export function exchange(
  session: Session,
  request: GrpcRequest,
  {
    limit,
    longest,
    signal,
  }: { readonly limit: Milliseconds; readonly longest: number; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly message: Uint8Array } | GrpcEnd> {
  return new Promise((resolve) => {
    const began = performance.now()
    let answer: Uint8Array | undefined
    const cancel = beginRequest(session, request, {
      longest,
      onMessage: (message) => {
        if (answer === undefined) answer = message
        else cancel('more than one answer')
      },
      onEnd: (end) => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        const isWell = 'status' in end && end.status === 0
        resolve(isWell ? (answer === undefined ? { why: 'an answer without a message' } : { message: answer }) : end)
      },
    })
    const giveUp = (why: string): void => {
      cancel(why)
      session.doubt(began)
    }
    const onAbort = (): void => giveUp('not needed any more')
    const timer = setTimeout(() => giveUp(`no answer within ${limit} ms`), limit)
    signal?.addEventListener('abort', onAbort)
  })
}

/** @param fields where etcd’s status is. */
function endOf(fields: IncomingHttpHeaders): GrpcEnd {
  const status = `${fields['grpc-status']}`
  if (!/^[0-9]{1,2}$/.test(status)) return { why: 'an answer without a status' }
  return { status: Number(status), why: unescaped(`${fields['grpc-message'] ?? ''}`) || `status ${status} of gRPC` }
}

/** As URLs are escaped. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The messages of an answer, whose parts are of any size. */
class Messages {
  readonly #held = new GrowingBytes()
  readonly #longest: number

  constructor(longest: number) {
    this.#longest = longest
  }

  /** @returns those that are complete now; or what is wrong. */
  push(part: Uint8Array): readonly Uint8Array[] | string {
    this.#held.push(part)
    const whole: Uint8Array[] = []
    const bytes = this.#held.view()
    let from = 0
    while (bytes.length - from >= PREFIX) {
      const length = bytes.readUInt32BE(from + 1)
      if (bytes[from] !== 0) return 'an answer that is compressed'
      if (length > this.#longest) return `${TOO_LONG}${this.#longest} bytes`
      if (bytes.length - from < PREFIX + length) break
      whole.push(bytes.subarray(from + PREFIX, from + PREFIX + length))
      from += PREFIX + length
    }
    if (from > 0) this.#held.drop(from)
    return whole
  }
}
