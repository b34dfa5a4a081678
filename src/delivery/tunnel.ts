/** A tunnel through an HTTP proxy, for TLS to the server behind it: the method CONNECT (RFC 9110 § 9.3.6). */
import type { Socket } from 'node:net'
import { encodeConnectRequest, type ProxyLogin } from '../packet/http.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Milliseconds } from '../units.ts'
import { describeTarget, explainError, type Target } from './explain-error.ts'
import { proxyRefusal } from './http.ts'

/** In bytes: of the answer, up to its empty line. */
const MAX_HEAD = 8_192

function beginning(head: string): string {
  return head.slice(0, MAX_HEAD)
}

export interface Tunnel extends ProxyLogin {
  /** Where it leads: `spa.example:443`. */
  readonly to: string
  /** The proxy, for messages. */
  readonly target: Target
  readonly limit: Milliseconds
  readonly signal?: AbortSignal | undefined
}

/**
 * @param socket a connection to the proxy that was begun. It is ended where there is no tunnel.
 * @returns when the proxy has connected to the server; or `SEND_FAILED`, with the answer of the proxy.
 */
export function openTunnel(socket: Socket, tunnel: Tunnel): Promise<Result<void, Failure<'SEND_FAILED'>>> {
  const { to, target, limit, signal, ...login } = tunnel
  return new Promise((resolve) => {
    let head = ''
    const settle = (outcome: Result<void, Failure<'SEND_FAILED'>>): void => {
      clearTimeout(deadline)
      signal?.removeEventListener('abort', giveUp)
      socket.off('data', onData).off('error', onError).off('close', onClose)
      if (!outcome.ok) socket.on('error', () => {}).destroy()
      resolve(outcome)
    }
    const failed = (cause: string): void => settle(refuse('SEND_FAILED', `${describeTarget(target)}: ${cause}`))
    const giveUp = (): void => failed('ended by the caller')
    const onClose = (): void => failed('it closed the connection')
    const onError = (error: Error): void => settle(refuse('SEND_FAILED', explainError(error, target)))
    const onData = (chunk: Buffer): void => {
      head = beginning(head + chunk.toString('latin1'))
      const end = head.indexOf('\r\n\r\n')
      const status = Number(/^HTTP\/1\.[01] ([1-5][0-9]{2})\b/.exec(head)?.[1])
      if (end < 0 && head.length < MAX_HEAD) return
      // Nothing may follow: the server behind waits for our greeting.
      if (status === 200 && end === head.length - 4) settle(ok(undefined))
      else settle(proxyRefusal(status, target, login) ?? refuseConnect(status, target, to))
    }
    const deadline = setTimeout(() => failed(`no tunnel within ${limit / 1000} s`), limit)
    socket.on('data', onData).once('error', onError).once('close', onClose)
    socket.once('connect', () => socket.write(encodeConnectRequest(to, login), 'latin1'))
    if (signal?.aborted === true) giveUp()
    else signal?.addEventListener('abort', giveUp)
  })
}

function refuseConnect(status: number, target: Target, to: string) {
  const answer = Number.isNaN(status) || status === 200 ? 'with what is no answer to CONNECT' : `${status}`
  return refuse('SEND_FAILED', `${describeTarget(target)}: it does not connect to ${to}, and answers ${answer}`)
}
