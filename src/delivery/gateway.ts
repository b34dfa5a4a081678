/**
 * Delivery through a gateway (docs/GATEWAY.md): the packet goes there by HTTPS, and from there by UDP to the server
 * that the gateway knows under an id. The gateway may bring back a receipt.
 */
import type { Agent, IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { jsonLine } from '../bytes/text.ts'
import { printableAscii, type Reader, record } from '../json-reader.ts'
import { formatHostPort, hostInUrl, parseSocketAddress } from '../packet/address.ts'
import type { ProxyLogin } from '../packet/http.ts'
import { RECEIPT_LENGTH } from '../packet/receipt.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'
import type { Delivery, NotSent, OutgoingPacket } from './delivery.ts'
import { describeTarget, explainError, type Target } from './explain-error.ts'
import { connectTls, type TlsPeer } from './pinned-tls.ts'
import { CONNECT_LIMIT } from './stream.ts'
import { openTunnel } from './tunnel.ts'

export interface GatewayDeliveryOptions extends TlsPeer {
  /** HTTPS; else plain HTTP, to this host. */
  readonly secure: boolean
  /** The port that visitors name: part of the name of the host. */
  readonly port: Port
  /** The id of the server at the gateway. */
  readonly target: string
  readonly sourcePort?: Port
  readonly userAgent?: string
  /** Packets are addressed to a proxy, which is asked for a tunnel to the gateway (`HOST:PORT`). */
  readonly tunnel?: ProxyLogin & { readonly to: string }
  readonly connectLimit?: Milliseconds
}

/** How long an answer is waited for. A receipt takes as long as the gateway is configured to wait: at most 10 s. */
const ANSWER_LIMIT = milliseconds(5_000)
const RECEIPT_LIMIT = milliseconds(15_000)
const MAX_ANSWER = 4_096

const readTicket: Reader<{ readonly ticket: string }> = record({ ticket: printableAscii({ max: 64 }) }, {})
const readReceipt: Reader<{ readonly receipt: string }> = record(
  { receipt: printableAscii({ max: RECEIPT_LENGTH }) },
  {},
)

type SendFailure = Failure<'SEND_FAILED'>

/**
 * Packets must be addressed to the gateway, or to the proxy before it.
 * @returns a delivery whose `send` is `SEND_FAILED` if no connection could be made, if the certificate is not good, or
 * if the gateway does not take the packet.
 */
export function gatewayDelivery(options: GatewayDeliveryOptions): Delivery {
  return {
    async send(packet, signal) {
      const target: Target = {
        address: packet.address,
        port: packet.port,
        protocol: 'tcp',
        ...(options.sourcePort === undefined ? {} : { sourcePort: options.sourcePort }),
        role: options.tunnel === undefined ? 'the gateway' : 'the proxy',
      }
      const connected = await connectTo(packet, options, target, signal)
      if (!connected.ok) return connected
      const socket = connected.value
      const local = parseSocketAddress(socket.localAddress)
      const at = performance.now()
      const body = jsonLine({ target: options.target, packet: packet.text })
      const agent = await agentOf(socket)
      const answer = await post(agent, '/v1/knock', body, options, ANSWER_LIMIT)
      const failed = (why: string) => {
        socket.destroy()
        return refuse('SEND_FAILED', `${describeTarget(target)}: ${why}`)
      }
      const unclear = (why: string): Refused<NotSent> => {
        const { failure } = failed(why)
        return { ok: false, failure: { ...failure, unclear: true } }
      }
      if ('problem' in answer) return unclear(answer.problem)
      if (answer.status !== 202) return failed(refusalOf(answer.status, options))
      const ticket = readTicket(answer.value)?.ticket
      if (ticket === undefined || !local.ok) return unclear('its answer is not that of a gateway')
      socket.unref()
      return ok({
        localAddress: local.value,
        at,
        httpStatus: answer.status,
        async receipt(): Promise<string | undefined> {
          socket.ref()
          const brought = await post(agent, '/v1/receipt', jsonLine({ ticket }), options, RECEIPT_LIMIT)
          socket.destroy()
          return 'problem' in brought || brought.status !== 200 ? undefined : readReceipt(brought.value)?.receipt
        },
      })
    },
  }
}

function refusalOf(status: number, { name, target }: GatewayDeliveryOptions): string {
  switch (status) {
    case 400:
    case 413:
      return `it takes no packet of this form (${status})`
    case 404:
      return `it is not a gateway: there is no /v1/knock (404)`
    case 421:
      return `it does not answer to the name ${name}: HOST in its gateway.conf does not list it (421)`
    case 429:
      return `it takes no more knocks from here for a while (429). Its id for the server, “${target}”, plays no part`
    default:
      return `it answers with status ${status}`
  }
}

async function connectTo(
  { address, port }: OutgoingPacket,
  options: GatewayDeliveryOptions,
  target: Target,
  signal: AbortSignal | undefined,
): Promise<Result<Socket, SendFailure>> {
  const { sourcePort, connectLimit = CONNECT_LIMIT, tunnel, secure } = options
  const from = sourcePort === undefined ? {} : { localPort: sourcePort }
  const begun = connect({ host: address, port, noDelay: true, ...from })
  const limit = setTimeout(
    () => begun.destroy(new Error(`no connection within ${connectLimit / 1000} s`)),
    connectLimit,
  )
  const giveUp = (): void => {
    begun.destroy(new Error(typeof signal?.reason === 'string' ? signal.reason : 'ended by the caller'))
  }
  if (signal?.aborted === true) giveUp()
  else signal?.addEventListener('abort', giveUp)
  try {
    const opened =
      tunnel === undefined
        ? await connection(begun, target)
        : await openTunnel(begun, { ...tunnel, target, limit: connectLimit, signal })
    if (!opened.ok || !secure) return opened.ok ? ok(begun) : opened
    const secured = await connectTls(begun, options)
    return secured.ok ? secured : refuse('SEND_FAILED', `${describeTarget(target)}: ${secured.failure.detail}`)
  } finally {
    clearTimeout(limit)
    signal?.removeEventListener('abort', giveUp)
  }
}

function connection(socket: Socket, target: Target): Promise<Result<void, SendFailure>> {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(ok(undefined)))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(
        error.code === undefined
          ? refuse('SEND_FAILED', `${describeTarget(target)}: ${error.message}`)
          : refuse('SEND_FAILED', explainError(error, target)),
      ),
    )
  })
}

type Answer = { readonly status: number; readonly value: unknown } | { readonly problem: string }

/** Both requests go over one connection. */
async function agentOf(socket: Socket): Promise<Agent> {
  const { Agent } = await import('node:http')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = () => socket
  return agent
}

async function post(
  agent: Agent,
  path: string,
  body: string,
  { name, port, secure, userAgent }: GatewayDeliveryOptions,
  limit: Milliseconds,
): Promise<Answer> {
  const { request } = await import('node:http')
  const standard = secure ? 443 : 80
  return new Promise((resolve) => {
    const asking = request({
      agent,
      method: 'POST',
      path,
      maxHeaderSize: 8_192,
      headers: {
        host: port === standard ? hostInUrl(name) : formatHostPort(name, port),
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
      },
    })
    const timer = setTimeout(() => asking.destroy(new Error(`no answer within ${limit / 1000} s`)), limit)
    const done = (answer: Answer): void => {
      clearTimeout(timer)
      resolve(answer)
    }
    asking.on('error', (error: NodeJS.ErrnoException) =>
      done({ problem: error.code === undefined ? error.message : `the connection ended (${error.code})` }),
    )
    let answered = false
    asking.on('response', (response) => {
      answered = true
      readAnswer(response, done)
    })
    // An answer of 101 ends the connection without a response and without an error.
    asking.on('close', () => {
      if (!answered) done({ problem: 'the connection ended without an answer' })
    })
    asking.end(body)
  })
}

function readAnswer(response: IncomingMessage, done: (answer: Answer) => void): void {
  let text = ''
  response.on('data', (chunk: Buffer) => {
    if (text.length < MAX_ANSWER) text += chunk.toString('latin1')
  })
  response.on('error', () => done({ problem: 'its answer is cut off' }))
  response.on('end', () => {
    const status = response.statusCode ?? 0
    try {
      done({ status, value: JSON.parse(text) })
    } catch {
      done({ status, value: undefined })
    }
  })
}
