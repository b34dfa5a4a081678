/** The program behind the page: listens on loopback, hands the page its token, and ends with the last page. */
import { readBundle } from '../http-server/bundle.ts'
import { DEFAULT_HTTP_LIMITS } from '../http-server/limits.ts'
import { type HttpServer, openHttpServer } from '../http-server/server.ts'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import { KeptFiles, stateFolder } from './kept-files.ts'
import { type LaunchFile, writeLaunchFile } from './launch-file.ts'
import { OpenPages } from './open-pages.ts'
import { RcBook } from './rc-book.ts'
import { type UiParts, uiRoutes } from './routes.ts'
import { LaunchSecret, makeToken } from './token.ts'

export interface UiOptions extends Pick<UiParts, 'version' | 'qrCode'> {
  /** The rc file. */
  readonly file: string
  /** The folder of the page. */
  readonly page: string
  /** 0: one that the system chooses. */
  readonly port: Port | 0
  /** Go on after the last page is closed. */
  readonly stay: boolean
  readonly onFault: (error: unknown) => void
}

export interface RunningUi {
  /** `http://localhost:PORT`. */
  readonly origin: string
  readonly launchFile: string
  /** Ends the server, also before. @returns when it has ended, by itself or by this. */
  end(): void
  readonly ended: Promise<void>
}

/** How often another port is tried, if the other loopback address has this one already. */
const MOST_TRIES = 8

export async function serveUi(options: UiOptions): Promise<Result<RunningUi, Failure>> {
  const bundle = readBundle(options.page)
  if (!bundle.ok) return bundle
  const folder = stateFolder()
  if (!folder.ok) return folder
  const stop = new AbortController()
  const pages = new OpenPages(() => {
    if (!options.stay) stop.abort()
  })
  const launch = new LaunchSecret()
  let launchFile: LaunchFile | undefined
  const routes = uiRoutes({
    ...{ version: options.version, bundle: bundle.value, qrCode: options.qrCode },
    ...{ book: new RcBook(options.file), kept: new KeptFiles(folder.value), pages, launch, token: makeToken() },
    onLaunched: () => launchFile?.remove(),
  })
  const opened = await listen(routes, options)
  if (!opened.ok) {
    pages.stop()
    return opened
  }
  const { server, port } = opened.value
  const origin = `http://localhost:${port}`
  const written = writeLaunchFile(origin, launch.secret)
  if (!written.ok) {
    pages.stop()
    await server.close(0)
    return written
  }
  launchFile = written.value
  const ended = (async () => {
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()))
    pages.stop()
    written.value.remove()
    await server.close(1_000)
  })()
  return ok({ origin, launchFile: written.value.path, ended, end: () => stop.abort() })
}

interface Listening {
  readonly server: HttpServer
  readonly port: Port
}

/**
 * On both loopback addresses, at one port: “localhost” may be either, and nobody else must be behind it. A system
 * without IPv6 has only one.
 */
async function listen(
  routes: ReturnType<typeof uiRoutes>,
  { port, onFault }: UiOptions,
): Promise<Result<Listening, Failure>> {
  let last: Failure | undefined
  for (let tries = 0; tries < (port === 0 ? MOST_TRIES : 1); tries++) {
    const one = await listenOn(routes, onFault, ['127.0.0.1'], port)
    if (!one.ok) return one
    const [first] = one.value.listening
    const chosen = first?.kind === 'tcp' ? first.port : undefined
    await one.value.close(0)
    if (chosen === undefined) break
    const hosts = (await hasIpv6()) ? ['127.0.0.1', '::1'] : ['127.0.0.1']
    const both = await listenOn(routes, onFault, hosts, chosen)
    if (both.ok) return ok({ server: both.value, port: chosen })
    last = both.failure
  }
  return last === undefined ? refuse('HTTP_UNAVAILABLE', 'there is no free port') : { ok: false, failure: last }
}

function listenOn(
  routes: ReturnType<typeof uiRoutes>,
  onFault: (error: unknown) => void,
  addresses: readonly string[],
  port: Port | 0,
): Promise<Result<HttpServer, Failure>> {
  return openHttpServer({
    listen: addresses.map((text) => ({ kind: 'tcp', address: loopback(text), port })),
    hosts: port === 0 ? [] : [{ name: 'localhost', port }],
    // A page from a file, which has the launch secret.
    origins: ['null'],
    routes,
    limits: {
      ...DEFAULT_HTTP_LIMITS,
      connections: 64,
      connectionsPerSource: 48,
      burstPerSource: 200,
      ratePerSource: 50,
    },
    onFault,
  })
}

async function hasIpv6(): Promise<boolean> {
  const { networkInterfaces } = await import('node:os')
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
}

function loopback(text: string): IpAddress {
  const address = parseAddress(text)
  if (!address.ok) throw new Error(`${text} is an address`)
  return address.value
}
