/** One TCP connection that carries one packet: what delivery by TCP, HTTP and HTTPS have in common. */
import type { Socket } from 'node:net'
import { parseSocketAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode } from '../system/errno.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import type { Departure } from './delivery.ts'
import { describeTarget, explainError, type Target } from './explain-error.ts'

/** How long a connection may take, with its TLS handshake. */
export const CONNECT_LIMIT = milliseconds(5_000)
/** How long the first line of an answer is waited for. */
export const ANSWER_LIMIT = milliseconds(5_000)
/** The first line of an HTTP answer may have this many bytes. No more is read. */
const MAX_STATUS_LINE = 1_024

/** What goes over a connection. */
export interface Sending {
  /** A connection that was begun. It is always ended here. */
  readonly socket: Socket
  /** The event after which the text may go. */
  readonly ready: 'connect' | 'secureConnect'
  /** ASCII. */
  readonly text: string
  /** For messages. */
  readonly target: Target
  readonly connectLimit: Milliseconds
  /**
   * Wait this long for the first line of an HTTP answer. Absent: nothing is waited for. A proxy or a web server that
   * passes requests on may drop one whose client has gone.
   */
  readonly answerLimit?: Milliseconds
  readonly signal?: AbortSignal | undefined
  /** What an error means that only TLS has. */
  readonly explain?: (code: string) => string | undefined
}

type Sent = Result<Departure, Failure<'SEND_FAILED'>>

/** A text is a cause for the user; anything else is that of `AbortSignal`. */
function reasonOf(signal: AbortSignal | undefined): string {
  return typeof signal?.reason === 'string' ? signal.reason : 'ended by the caller'
}

/** The beginning of an answer, as far as it counts. */
function statusLine(answer: string): string {
  return answer.slice(0, MAX_STATUS_LINE)
}

/** Sends the text as soon as the connection is ready. After the text has left, no error counts. */
export function sendOver(sending: Sending): Promise<Sent> {
  const { socket, text, target, connectLimit, answerLimit, signal } = sending
  return new Promise((resolve) => {
    let left: Departure | undefined
    let answer = ''
    const settle = (outcome: Sent): void => {
      clearTimeout(limit)
      signal?.removeEventListener('abort', giveUp)
      socket.destroy()
      resolve(outcome)
    }
    const failed = (cause: string): void => settle(refuse('SEND_FAILED', `${describeTarget(target)}: ${cause}`))
    const done = (): void => {
      if (left === undefined) return
      const httpStatus = /^HTTP\/1\.[01] ([1-5][0-9]{2})\b/.exec(answer)?.[1]
      settle(ok(httpStatus === undefined ? left : { ...left, httpStatus: Number(httpStatus) }))
    }
    const giveUp = (): void => (left === undefined ? failed(reasonOf(signal)) : done())
    let limit = setTimeout(() => failed(`no connection within ${connectLimit / 1000} s`), connectLimit)

    socket.on('error', (error) => {
      const code = errorCode(error)
      const explained = code === undefined ? undefined : sending.explain?.(code)
      if (left !== undefined) done()
      else if (explained !== undefined) failed(`${explained} (${code})`)
      else settle(refuse('SEND_FAILED', explainError(error, target)))
    })
    socket.once('close', () => (left === undefined ? failed('the connection was closed') : done()))
    socket.once(sending.ready, () => {
      const local = parseSocketAddress(socket.localAddress)
      if (!local.ok) {
        failed('the connection was closed')
        return
      }
      const flushed = (): void => {
        left = { localAddress: local.value, at: performance.now() }
        clearTimeout(limit)
        if (answerLimit === undefined) done()
        else limit = setTimeout(done, answerLimit)
        judge()
      }
      if (answerLimit === undefined) socket.end(text, 'latin1', flushed)
      else socket.write(text, 'latin1', flushed)
    })
    const judge = (): void => {
      if (left !== undefined && (answer.includes('\n') || answer.length === MAX_STATUS_LINE)) done()
    }
    if (answerLimit !== undefined)
      socket.on('data', (chunk) => {
        answer = statusLine(answer + chunk.toString('latin1'))
        judge()
      })
    if (signal?.aborted === true) giveUp()
    else signal?.addEventListener('abort', giveUp)
  })
}
