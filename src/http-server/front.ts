/**
 * What all listeners of a server share: the checks of a request, one after the other, and the way of its answer
 * (`server.ts` lists them).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { monotonic } from '../clock.ts'
import { type IpAddress, networkContains, parseSocketAddress } from '../packet/address.ts'
import { errorCode } from '../system/errno.ts'
import { milliseconds } from '../units.ts'
import { Connections } from './connections.ts'
import { type NamedProxies, visitorOf } from './forwarded.ts'
import { headerOf, type JudgedRequest, judgeRequest, type Refusal, type RequestRules } from './judge-request.ts'
import type { HttpLimits } from './limits.ts'
import { readBody } from './request-body.ts'
import { type Head, judgeHead } from './request-head.ts'
import { errorReply, type HttpReply, Incomplete, type Route, RouteTable } from './route.ts'
import { NOTHING, type PagePermissions, securityHeaders } from './security-headers.ts'
import { RateLimit, sourceOf, Tally } from './sources.ts'

export interface FrontOptions extends RequestRules {
  readonly routes: readonly Route[]
  readonly proxies?: NamedProxies
  readonly limits: HttpLimits
  /** A handler threw: a mistake of ours. The visitor gets 500. */
  readonly onFault: (error: unknown) => void
}

const NO_PROXIES: NamedProxies = { networks: [], overUnixSocket: false }
const FOREIGN_ORIGIN_AGE = '600'
/** How long a connection that is refused may stay: its client reads why. */
const LINGER = milliseconds(1_000)

/** All that the listeners share. */
export class Front {
  readonly limits: HttpLimits
  readonly connections: Connections<Socket>
  readonly refusals = new Map<string, number>()
  readonly #options: FrontOptions
  readonly #routes: RouteTable
  readonly #proxies: NamedProxies
  readonly #rate: RateLimit
  readonly #waiting = new Tally()
  readonly #sockets = new Set<Socket>()
  readonly #stopped = new AbortController()

  constructor(options: FrontOptions) {
    this.#options = options
    this.limits = options.limits
    this.#routes = new RouteTable(options.routes)
    this.#proxies = options.proxies ?? NO_PROXIES
    this.connections = new Connections(this.limits.connections, this.limits.connectionsPerSource)
    this.#rate = new RateLimit(this.limits.burstPerSource, this.limits.ratePerSource)
  }

  /** A new connection, before TLS and before its first byte. */
  admit(socket: Socket): void {
    const peer = peerOf(socket)
    const isProxy = peer === undefined || this.#proxies.networks.some((network) => networkContains(network, peer))
    const added = this.connections.add(socket, isProxy ? undefined : sourceOf(peer))
    if (added === 'refused') {
      this.#count('connections')
      socket.destroy()
      return
    }
    if (added.ends !== undefined) {
      this.#count('made room')
      added.ends.destroy()
    }
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.connections.remove(socket)
    })
  }

  /** What Node's parser refuses, and what is too slow for it. */
  malformed(error: Error, socket: Socket): void {
    const code = errorCode(error)
    const status =
      code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request'
    this.#count(status.slice(4).toLowerCase())
    if (!socket.writable || socket.destroyed || code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    setTimeout(() => socket.destroy(), LINGER).unref()
  }

  /** @param kind of the listener that took the connection. */
  answer(request: IncomingMessage, response: ServerResponse, kind: ListenerKind): void {
    response.on('error', () => response.destroy())
    request.on('error', () => {})
    const peer = peerOf(request.socket)
    if (peer === undefined && kind !== 'unix') {
      request.socket.destroy() // gone already
      return
    }
    const admitted = this.#admitRequest(request, peer, kind)
    if ('error' in admitted) {
      this.#refuse(request, response, admitted)
      return
    }
    const { head, source, found } = admitted
    if (head.method === 'OPTIONS') {
      this.#send(response, preflightReply(found), admitted.about)
      return
    }
    const key = sourceOf(source)
    const gone = new Departure(this.#stopped.signal)
    this.#waiting.add(key)
    response.once('close', () => {
      this.#waiting.remove(key)
      gone.happened()
    })
    readAll(request, head.length, (bytes) => {
      const read = readBody(found.body, bytes)
      if ('status' in read) {
        this.#refuse(request, response, { ...read, about: admitted.about })
        return
      }
      const handed = {
        body: read.value,
        query: admitted.query,
        source,
        secure: admitted.about.secure,
        header: (name: string) => headerOf(head, name),
        get signal() {
          return gone.signal
        },
      }
      void this.#handle(found, handed, response, admitted.about)
    })
  }

  /** All that is judged before the body. */
  #admitRequest(request: IncomingMessage, peer: IpAddress | undefined, kind: ListenerKind): Admitted | Turned {
    let about: About = {
      page: NOTHING,
      readableBy: undefined,
      secure: kind === 'tls',
      isHead: request.method === 'HEAD',
    }
    const { method = '', url: target = '', httpVersion: version, rawHeaders } = request
    const head = judgeHead({ method, target, version, rawHeaders }, this.limits.targetBytes)
    if ('status' in head) return { ...head, about }
    const visitor = visitorOf(peer, (name) => head.headers.get(name) ?? [], this.#proxies)
    if (visitor === 'unreadable') return { status: 400, error: 'forwarded', about }
    const { source } = visitor
    const key = sourceOf(source)
    const isWithinRate = this.#rate.take(key, monotonic())
    const secure = kind === 'tls' || visitor.secure === true
    const judged = judgeRequest(head, secure, this.#routes, this.#options)
    // Also where it is refused: else the page could not tell why.
    about = { ...about, secure, readableBy: judged.readableBy }
    if (!isWithinRate) return { status: 429, error: 'rate', headers: { 'retry-after': '10' }, about }
    if (this.#waiting.of(key) >= this.limits.waitingPerSource || this.#waiting.total >= this.limits.waiting)
      return { status: 429, error: 'waiting', headers: { 'retry-after': '2' }, about }
    if ('error' in judged) return { ...judged, about }
    return { ...judged, head, source, about: { ...about, page: judged.found.page ?? NOTHING } }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, { status, error, headers = {}, about }: Turned): void {
    this.#count(error)
    // The rest of the request is not read: the connection cannot be used again.
    const reply = errorReply(status, error, { ...headers, connection: 'close' })
    this.#send(response, reply, { ...about, page: NOTHING })
    endSoon(request)
  }

  async #handle(
    found: Route,
    handed: Parameters<Route['handle']>[0],
    response: ServerResponse,
    about: About,
  ): Promise<void> {
    let reply: HttpReply
    try {
      reply = await found.handle(handed)
    } catch (error) {
      this.#options.onFault(error)
      reply = errorReply(500, 'fault')
    }
    this.#send(response, reply, about)
  }

  #send(response: ServerResponse, reply: HttpReply, { page, secure, readableBy, isHead }: About): void {
    const { afterwards } = reply
    if (afterwards !== undefined) {
      if (response.destroyed || response.headersSent) setImmediate(afterwards)
      else response.once('close', afterwards)
    }
    if (response.destroyed || response.headersSent) return
    const cross: Record<string, string> =
      readableBy === undefined
        ? {}
        : { 'access-control-allow-origin': readableBy, ...(readableBy === '*' ? {} : { vary: 'origin' }) }
    response.sendDate = false
    response.writeHead(reply.status, {
      ...securityHeaders(page, secure, readableBy !== undefined),
      ...cross,
      ...(reply.headers as Record<string, string | string[]> | undefined),
      ...(this.#stopped.signal.aborted ? { connection: 'close' } : {}),
      ...(reply.stream === undefined ? { 'content-length': Buffer.byteLength(reply.body ?? '') } : {}),
    })
    if (reply.stream !== undefined && !isHead) {
      void this.#stream(response, reply.stream)
      return
    }
    // A visitor who takes an answer byte by byte does not keep its place for ever.
    const limit = setTimeout(() => response.destroy(), this.limits.replyTime)
    response.once('close', () => clearTimeout(limit))
    response.end(isHead ? undefined : reply.body)
  }

  async #stream(response: ServerResponse, stream: NonNullable<HttpReply['stream']>): Promise<void> {
    try {
      await stream((text) => taken(response, text))
    } catch (error) {
      if (!response.destroyed && !(error instanceof Incomplete)) this.#options.onFault(error)
      response.destroy()
    }
    if (response.destroyed) return
    // The visitor may have stopped reading long before.
    const limit = setTimeout(() => response.destroy(), this.limits.replyTime)
    response.once('close', () => clearTimeout(limit))
    response.end()
  }

  #count(reason: string): void {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1)
  }

  stop(): void {
    this.#stopped.abort()
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

export type ListenerKind = 'plain' | 'tls' | 'unix'

interface Admitted extends JudgedRequest {
  readonly head: Head
  readonly source: IpAddress | undefined
  readonly about: About
}

type Turned = Refusal & { readonly about: About }

/** How an answer is sent. */
interface About {
  readonly page: PagePermissions
  readonly secure: boolean
  readonly readableBy: string | undefined
  readonly isHead: boolean
}

/** The visitor goes, or the server stops. Most handlers never ask: a signal costs more than the rest of a request. */
class Departure {
  readonly #stopped: AbortSignal
  #gone: AbortController | undefined
  #isGone = false

  constructor(stopped: AbortSignal) {
    this.#stopped = stopped
  }

  get signal(): AbortSignal {
    this.#gone ??= new AbortController()
    if (this.#isGone) this.#gone.abort()
    return AbortSignal.any([this.#gone.signal, this.#stopped])
  }

  happened(): void {
    this.#isGone = true
    this.#gone?.abort()
  }
}

/** @returns undefined over a Unix socket, and where the visitor has gone already. */
function peerOf(socket: Socket): IpAddress | undefined {
  const address = parseSocketAddress(socket.remoteAddress)
  return address.ok ? address.value : undefined
}

/** Writes some of an answer. @returns when there is room for more. @throws Error where the visitor is gone. */
function taken(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed) return Promise.reject(new Error('the visitor is gone'))
  if (response.write(text)) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      response.off('close', onClose)
      resolve()
    }
    const onClose = (): void => {
      response.off('drain', onDrain)
      reject(new Error('the visitor is gone'))
    }
    response.once('drain', onDrain)
    response.once('close', onClose)
  })
}

/** A browser asks first, before a page of another origin sends JSON. */
function preflightReply({ method }: Route): HttpReply {
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': method,
      'access-control-allow-headers': 'content-type',
      'access-control-max-age': FOREIGN_ORIGIN_AGE,
    },
  }
}

/** @param length of the body: Node's parser gives no more bytes than that. */
function readAll(request: IncomingMessage, length: number, then: (bytes: Uint8Array) => void): void {
  if (length === 0) {
    request.resume()
    then(new Uint8Array())
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.once('end', () => then(Buffer.concat(chunks)))
}

/** A visitor who goes on sending a body that nobody wants. */
function endSoon(request: IncomingMessage): void {
  if (request.complete) return
  setTimeout(() => request.socket.destroy(), LINGER).unref()
}
