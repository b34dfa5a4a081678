/** Delivery as the path of an HTTP request, to the server itself or through a proxy (docs/WIRE.md § 9). */
import { connect } from 'node:net'
import { encodeHttpRequest, type HttpRequestOptions, type ProxyLogin } from '../packet/http.ts'
import { type Failure, refuse } from '../result.ts'
import type { Milliseconds } from '../units.ts'
import type { Delivery } from './delivery.ts'
import { describeTarget, type Target } from './explain-error.ts'
import { ANSWER_LIMIT, CONNECT_LIMIT, sendOver } from './stream.ts'
import type { StreamOptions } from './tcp.ts'

/** What a request says, and how connections are made. */
export interface HttpDeliveryOptions extends HttpRequestOptions, StreamOptions {
  /** How long the first line of a proxy's answer is waited for (5 s where absent). */
  readonly answerLimit?: Milliseconds
}

/** A proxy wants a user and a password: the one answer that no server behind it gives. */
const PROXY_AUTHENTICATION_REQUIRED = 407

/**
 * Delivery over HTTP. With a proxy, packets must be addressed to the proxy, and the first line of its answer is waited
 * for: a proxy may drop a request whose client has gone. Without one nothing is waited for, because the packet is read
 * on its way.
 * @returns a delivery whose `send` is `SEND_FAILED` if no connection could be made, if the proxy wants a user and a
 * password, or if the request cannot be written.
 */
export function httpDelivery(options: HttpDeliveryOptions): Delivery {
  const { sourcePort, connectLimit = CONNECT_LIMIT, answerLimit = ANSWER_LIMIT, ...request } = options
  const proxied = request.proxy !== undefined
  return {
    async send({ text, address, port }, signal) {
      const target = {
        address,
        port,
        protocol: 'tcp',
        ...(sourcePort === undefined ? {} : { sourcePort }),
        ...(proxied ? { role: 'the proxy' } : {}),
      }
      const encoded = encodeHttpRequest(text, request)
      if (!encoded.ok) return unwritable(encoded.failure)
      const from = sourcePort === undefined ? {} : { localPort: sourcePort }
      const socket = connect({ host: address, port, noDelay: true, ...from })
      const waits = proxied ? { answerLimit } : {}
      const sent = await sendOver({
        socket,
        ready: 'connect',
        text: encoded.value,
        target,
        connectLimit,
        signal,
        ...waits,
      })
      return (sent.ok && proxyRefusal(sent.value.httpStatus, target, request)) || sent
    },
  }
}

/** @returns why a proxy passes nothing on, where its status says so. */
export function proxyRefusal(status: number | undefined, target: Target, { proxyUser }: ProxyLogin) {
  if (status !== PROXY_AUTHENTICATION_REQUIRED) return undefined
  const known = proxyUser === undefined ? 'wants a user name and a password' : 'refuses user name and password'
  return refuse('SEND_FAILED', `${describeTarget(target)}: it ${known} (407)`, {
    suggestion: 'HTTP_PROXY_USER and HTTP_PROXY_PASSWORD in the rc file',
  })
}

export function unwritable({ detail }: Failure) {
  return refuse('SEND_FAILED', `the HTTP request cannot be written: ${detail}`)
}
