/**
 * The HTTP(S) front that the gateway, the local page and the console share: node:http and node:https behind checks. A
 * request meets them in this order: connections of its source; request line and headers (`request-head.ts`); who is
 * there (`forwarded.ts`); rate and waiting requests of the source; the name that it was sent to (`host-list.ts`); the
 * route (`route.ts`); the page that sends it (`cross-site.ts`); the body. Only then a handler sees it.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { formatHostPort, type IpAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import type { Port } from '../units.ts'
import { Front, type FrontOptions } from './front.ts'
import type { KeyAndCertificate } from './self-signed.ts'
import { secureContext } from './server-certificate.ts'
import { type UnixSocketPath, useUnixSocket } from './unix-socket.ts'

/** Where a server listens. */
export type ListenAt =
  | {
      readonly kind: 'tcp'
      readonly address: IpAddress
      /** 0: one that the system chooses. */
      readonly port: Port | 0
      /** PEM. Absent: plain HTTP. */
      readonly tls?: KeyAndCertificate
    }
  | ({ readonly kind: 'unix' } & UnixSocketPath)

export interface HttpServerOptions extends FrontOptions {
  readonly listen: readonly ListenAt[]
}

/** How many requests and connections were refused, by a word for the reason. */
export type RefusalCounts = ReadonlyMap<string, number>

export interface HttpServer {
  /** As the system opened them, in the order of the options. */
  readonly listening: readonly (
    | { readonly kind: 'tcp'; readonly address: IpAddress; readonly port: Port }
    | { readonly kind: 'unix'; readonly path: string }
  )[]
  readonly refusals: RefusalCounts
  /** Open connections. */
  readonly connections: number
  /**
   * All HTTPS listeners use another certificate from the next connection on. Open connections go on as they are.
   * @throws what OpenSSL does not take (`server-certificate.ts` judges it before): then nothing changes.
   */
  useCertificate(tls: KeyAndCertificate): void
  /**
   * Takes no more connections, ends the ones that wait, and lets the answers that are begun end.
   * @param longest how long these may take, in milliseconds.
   */
  close(longest?: number): Promise<void>
}

/** @returns the server; HTTP_UNAVAILABLE if it cannot listen at one of the places: then it listens at none. */
export async function openHttpServer(
  options: HttpServerOptions,
): Promise<Result<HttpServer, Failure<'HTTP_UNAVAILABLE' | 'CONFIG_EXPOSED'>>> {
  const front = new Front(options)
  const servers: Server[] = []
  const listening: HttpServer['listening'][number][] = []
  const closers: (() => void)[] = []
  for (const at of options.listen) {
    const opened = await listenAt(at, front)
    if (!opened.ok) {
      for (const server of servers) server.close()
      for (const close of closers) close()
      return opened
    }
    servers.push(opened.value.server)
    listening.push(opened.value.at)
    if (opened.value.remove !== undefined) closers.push(opened.value.remove)
  }
  return ok({
    listening,
    refusals: front.refusals,
    get connections() {
      return front.connections.count
    },
    useCertificate(tls) {
      for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(secureContext(tls))
    },
    async close(longest = 5_000) {
      front.stop()
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      for (const server of servers) server.closeIdleConnections()
      for (const close of closers) close()
      const late = setTimeout(() => front.destroyAll(), longest)
      await Promise.all(closed)
      clearTimeout(late)
    },
  })
}

interface Opened {
  readonly server: Server
  readonly at: HttpServer['listening'][number]
  readonly remove?: () => void
}

async function listenAt(
  at: ListenAt,
  front: Front,
): Promise<Result<Opened, Failure<'HTTP_UNAVAILABLE' | 'CONFIG_EXPOSED'>>> {
  const kind = at.kind === 'unix' ? 'unix' : at.tls === undefined ? 'plain' : 'tls'
  const { limits } = front
  const common = {
    maxHeaderSize: limits.headBytes,
    headersTimeout: limits.headTime,
    requestTimeout: limits.requestTime,
    keepAliveTimeout: limits.idleTime,
    connectionsCheckingInterval: Math.min(500, limits.headTime),
    insecureHTTPParser: false,
    requireHostHeader: false,
    noDelay: true,
  }
  const listener: RequestListener = (request, response) => front.answer(request, response, kind)
  let server: Server
  try {
    server =
      at.kind === 'tcp' && at.tls !== undefined
        ? createTlsServer(
            {
              ...common,
              ...secureContext(at.tls),
              ALPNProtocols: ['http/1.1'],
              handshakeTimeout: limits.headTime,
            },
            listener,
          )
        : createServer(common, listener)
  } catch (error) {
    // The certificate was read before. What is wrong with it, only OpenSSL knows.
    return refuse('HTTP_UNAVAILABLE', `certificate and key cannot be used: ${systemReason(error)}`)
  }
  server.maxHeadersCount = limits.headers
  server.maxRequestsPerSocket = limits.requestsPerConnection
  server.on('connection', (socket) => front.admit(socket))
  server.on('clientError', (error, socket) => front.malformed(error, socket as Socket))
  // Never asked for by our clients: then Node would answer 100 by itself, or hand the connection over.
  server.on('checkContinue', listener)
  server.on('checkExpectation', listener)
  server.on('connect', (_request, socket) => socket.destroy())
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const place = at.kind === 'tcp' ? formatHostPort(at.address, at.port as Port) : at.path
  try {
    if (at.kind === 'unix') {
      const used = await useUnixSocket(server, at)
      return used.ok ? ok({ server, at: { kind: 'unix', path: at.path }, remove: used.value }) : used
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: at.address, port: at.port, ipv6Only: true, backlog: 511 }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    const { port } = server.address() as AddressInfo
    return ok({ server, at: { kind: 'tcp', address: at.address, port: port as Port } })
  } catch (error) {
    return refuse('HTTP_UNAVAILABLE', `${place}: ${listenReason(error)}`)
  }
}

function listenReason(error: unknown): string {
  const code = errorCode(error)
  if (code === 'EADDRINUSE') return 'another program listens there'
  if (code === 'EACCES') return 'this user may not listen there'
  if (code === 'EADDRNOTAVAIL') return 'this host has no such address'
  return systemReason(error)
}
