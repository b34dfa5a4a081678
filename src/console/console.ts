/**
 * The console: what administrators see of a running server, and how they act on it, by HTTP. It has no key, and no
 * power of its own: each look and each change is a request to the server, which judges it again. Opening has two
 * steps: what may need root (listening, reading a key), then everything else.
 */
import type { Clock } from '../clock.ts'
import type { ConsoleConfig } from '../config/console/console-config.ts'
import type { HttpPlace } from '../config/reading/http-places.ts'
import type { AccountDeed } from '../daemon/link/console-protocol.ts'
import { certificateOf, type OwnCertificate } from '../http-server/certificate.ts'
import { DEFAULT_HTTP_LIMITS } from '../http-server/limits.ts'
import { type RenewableCertificate, renewableCertificate } from '../http-server/renewable-certificate.ts'
import type { Route } from '../http-server/route.ts'
import { type HttpServer, type ListenAt, openHttpServer } from '../http-server/server.ts'
import { type Failure, ok, type Result } from '../result.ts'
import type { StateFolder } from '../system/state-folder.ts'
import { AccountBook } from './account-book.ts'
import { AccountNotes, type NoteDeed } from './account-notes.ts'
import { History } from './history.ts'
import { Login } from './login.ts'
import { metricsRoute } from './metrics-route.ts'
import { consoleRoutes } from './routes.ts'
import { ServerLine } from './server-line.ts'
import { type ServerState, ServerWatch } from './server-watch.ts'
import { Sessions } from './sessions.ts'

export interface Console extends RenewableCertificate {
  readonly http: HttpServer
  close(): Promise<void>
}

export interface ConsoleWorld {
  readonly clock: Clock
  readonly wall: () => Date
  readonly version: string
  readonly onFault: (error: unknown) => void
  /** Somebody logged in, tried to, or changed something of the own account. */
  readonly onAccount: NoteDeed
  /** The server has no line about it in its audit log. */
  readonly onUnrecorded: (did: AccountDeed, why: Failure) => void
  /** The server was reached, or is away. */
  readonly onServer: (state: ServerState) => void
}

/** A console that listens, and waits for its second step. */
export interface ListeningConsole {
  readonly http: HttpServer
  readonly certificate: OwnCertificate | undefined
  /** As the user that it stays: opens the history, and begins to watch the server. */
  begin(): Result<Console>
}

/** An open page has a stream and asks for more besides. */
const LIMITS = {
  ...DEFAULT_HTTP_LIMITS,
  connections: 512,
  connectionsPerSource: 64,
  waitingPerSource: 32,
  burstPerSource: 120,
}

/** @param more routes besides those of `/v1/`: the page. */
export async function openConsole(
  config: ConsoleConfig,
  state: StateFolder,
  more: readonly Route[],
  world: ConsoleWorld,
): Promise<Result<ListeningConsole>> {
  const names = config.hosts.map(({ name }) => name)
  const hasHttps = config.listen.some(({ kind }) => kind === 'https')
  const certificate = hasHttps ? certificateOf(config.certificate, names, state, world.clock) : ok(undefined)
  if (!certificate.ok) return certificate
  const book = new AccountBook(state)
  const [events, line] = [new ServerLine(config.serverSocket), new ServerLine(config.serverSocket)]
  const [status, looks] = [new ServerLine(config.serverSocket), new ServerLine(config.serverSocket)]
  const deeds = new ServerLine(config.serverSocket)
  const { note } = new AccountNotes(deeds, world.onUnrecorded)
  let history: History | undefined
  let watch: ServerWatch | undefined
  const parts = {
    ...{ book, line, looks, sessions: new Sessions(), login: new Login(book, world.clock), clock: world.clock },
    tell: ((...deed) => {
      world.onAccount(...deed)
      note(...deed)
    }) satisfies NoteDeed as NoteDeed,
    watch(): ServerWatch {
      if (watch === undefined) throw new Error('the console has not begun')
      return watch
    },
    history(): History {
      if (history === undefined) throw new Error('the console has not begun')
      return history
    },
  }
  const http = await openHttpServer({
    listen: config.listen.map((at) => listenAt(at, certificate.value)),
    routes: [...consoleRoutes(parts), metricsRoute(state, () => parts.watch()), ...more],
    hosts: config.hosts,
    proxies: config.proxies,
    limits: LIMITS,
    onFault: world.onFault,
  })
  if (!http.ok) return http
  return ok({
    http: http.value,
    certificate: certificate.value,
    begin() {
      const opened = History.open(state.path, config.history)
      if (!opened.ok) return opened
      history = opened.value
      const { version, wall, onServer } = world
      watch = new ServerWatch({ events, asks: status, history, version, wall, onChange: onServer })
      watch.start()
      const renewable = renewableCertificate(http.value, certificate.value, world.clock)
      return ok({
        http: http.value,
        get certificate() {
          return renewable.certificate
        },
        renew: renewable.renew,
        async close() {
          await http.value.close()
          watch?.stop()
          for (const one of [events, status, line, looks, deeds]) one.close()
          history?.close()
        },
      })
    },
  })
}

function listenAt(at: HttpPlace, certificate: OwnCertificate | undefined): ListenAt {
  // Who may connect is decided by its folder, and by its group.
  if (at.kind === 'unix') return { kind: 'unix', path: at.path, mode: 0o660 }
  const { address, port } = at
  return at.kind === 'https' && certificate !== undefined
    ? { kind: 'tcp', address, port, tls: certificate.tls }
    : { kind: 'tcp', address, port }
}
