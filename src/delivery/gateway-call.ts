/** One question to a gateway besides knocks: JSON over HTTPS, each over a connection of its own. */
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { jsonLine } from '../bytes/text.ts'
import { formatGatewayUrl, type GatewayUrl } from '../config/client/gateway-urls.ts'
import { formatHostPort, hostInUrl } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { MORE_AUTHORITIES } from './explain-tls.ts'
import { connectTls } from './pinned-tls.ts'

export interface GatewayCall {
  readonly gateway: GatewayUrl
  /** SHA-256 of its certificate, where that signs itself: `AB:CD:…`. */
  readonly fingerprint?: string
  /** Such as `/v1/invitation/claim`. */
  readonly path: string
  readonly body: unknown
  /** For what only servers may ask. */
  readonly token?: string
}

export interface GatewayAnswer {
  readonly status: number
  /** Undefined: it was no JSON. */
  readonly value: unknown
}

const LIMIT = milliseconds(15_000)
const MOST_ANSWER = 512 * 1024
const NO_ANSWER = 'the connection ended without an answer'

/** @returns the answer, also of a refusal; GATEWAY_FAILED if there is none. No failure has a word of the body. */
export async function callGateway(
  call: GatewayCall,
  limit: Milliseconds = LIMIT,
): Promise<Result<GatewayAnswer, Failure<'GATEWAY_FAILED'>>> {
  const { gateway, fingerprint } = call
  const failed = (why: string) => refuse('GATEWAY_FAILED', `${formatGatewayUrl(gateway)}: ${why}`)
  const begun = connect({ host: gateway.host, port: gateway.port, noDelay: true })
  const late = setTimeout(() => begun.destroy(new Error(`no answer within ${limit / 1000} s`)), limit)
  try {
    const connected = await connection(begun)
    if (connected !== undefined) return failed(connected)
    if (!gateway.secure) return answerOf(await post(begun, call), failed)
    const secured = await connectTls(begun, { name: gateway.host, ...(fingerprint !== undefined && { fingerprint }) })
    if (!secured.ok) return failed(inOptions(secured.failure.detail))
    return answerOf(await post(secured.value, call), failed)
  } finally {
    clearTimeout(late)
    begun.destroy()
  }
}

/** Here, nothing comes from the rc file. */
function inOptions(detail: string): string {
  return detail
    .replace('GATEWAY_FINGERPRINT', 'the one that was given')
    .replace(MORE_AUTHORITIES, '--gateway-fingerprint names one that signs itself')
}

function answerOf(
  answer: GatewayAnswer | string,
  failed: (why: string) => Result<never, Failure<'GATEWAY_FAILED'>>,
): Result<GatewayAnswer, Failure<'GATEWAY_FAILED'>> {
  return typeof answer === 'string' ? failed(answer) : ok(answer)
}

/** @returns why there is no connection. */
function connection(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(undefined))
    socket.on('error', (error) => resolve(systemReason(error)))
  })
}

async function post(socket: Socket, { gateway, path, body, token }: GatewayCall): Promise<GatewayAnswer | string> {
  const { request } = await import('node:http')
  const text = jsonLine(body)
  const usual = gateway.port === (gateway.secure ? 443 : 80)
  return new Promise((resolve) => {
    const asking = request({
      createConnection: () => socket,
      method: 'POST',
      path,
      maxHeaderSize: 8_192,
      headers: {
        host: usual ? hostInUrl(gateway.host) : formatHostPort(gateway.host, gateway.port),
        connection: 'close',
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    })
    asking.on('error', (error) => resolve(systemReason(error)))
    let answered = false
    asking.on('response', (response) => {
      answered = true
      readAnswer(response, resolve)
    })
    // An answer of 101 ends the connection without a response and without an error.
    asking.on('close', () => {
      if (!answered) resolve(NO_ANSWER)
    })
    asking.end(text)
  })
}

function readAnswer(response: IncomingMessage, done: (answer: GatewayAnswer | string) => void): void {
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (text.length > MOST_ANSWER) response.destroy(new Error('its answer is too long'))
  })
  response.on('error', (error) => done(systemReason(error)))
  response.on('end', () => {
    const status = response.statusCode ?? 0
    try {
      done({ status, value: JSON.parse(text) })
    } catch {
      done({ status, value: undefined })
    }
  })
}
