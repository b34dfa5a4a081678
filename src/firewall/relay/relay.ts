/**
 * A firewall in user space, for hosts whose kernel firewall cannot be used. ghostport listens on the public ports. It
 * connects each client, by its source, to the granted service, or to the decoy that strangers see. No privilege, no
 * native part. docs/RELAY.md says what it cannot hide.
 *
 * A grant is looked up when a connection arrives, by a clock that never jumps. So no grant outlasts its second, and no
 * timer is needed. The listening sockets end with the process, so nothing stays open after it.
 */
import type { Server, Socket } from 'node:net'
import { describeOpening, type Grant, type GrantId, type LiveGrant, type Opening } from '../../access/grant.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import { DEFAULT_MAX_GRANTS, type RelayConfig, type RelayListener } from '../../config/server/firewall-settings.ts'
import { familyOf, type IpAddress, networkContains, parseAddress, parseNetwork } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds, type Port } from '../../units.ts'
import { Book, endedBy, type Instant } from '../book.ts'
import { chooseConnections } from '../connections/let-in.ts'
import { TCP, type Tracked } from '../connections/tracked.ts'
import { translationKey, type Way, wayKey } from '../doors.ts'
import type {
  CarriedLoad,
  ConnectionLimits,
  EndedConnections,
  Firewall,
  FirewallFailure,
  Kept,
  LetIn,
  Opened,
} from '../firewall.ts'
import type { Finding } from '../host/findings.ts'
import { connectToFirst, type Endpoint } from './connect.ts'
import { ConnectionCount, defaultLimits } from './limits.ts'
import { listen } from './listen.ts'
import { reset, splice } from './splice.ts'
import { type Trouble, tellSparingly } from './troubles.ts'

export interface RelayOptions extends Partial<RelayConfig> {
  readonly listeners: RelayConfig['listeners']
  readonly limits?: Partial<ConnectionLimits>
  /** How long a service or a decoy may take to answer. Default 10 s. */
  readonly connectTimeout?: Milliseconds
  /**
   * How long a connection without a grant may be silent in both directions. Default 60 s. With a grant there is no
   * limit.
   */
  readonly strangerIdle?: Milliseconds
  /** In milliseconds. Default: the process's own. */
  readonly monotonic?: () => number
  /** For the log: services or decoys that cannot be reached, and similar. */
  readonly onTrouble?: (trouble: Trouble) => void
}

/** A relay always knows its load. */
export interface RelayFirewall extends Firewall {
  load(): CarriedLoad
}

const CONNECT_TIME = milliseconds(10_000)
const STRANGER_IDLE = milliseconds(60_000)
const LOOPBACK: readonly IpAddress[] = ['127.0.0.1' as IpAddress, '::1' as IpAddress]
const LOOPBACK_NETWORK = parseNetwork('127.0.0.0/8')

/** Nothing listens before `install()`. */
export function createRelayFirewall(options: RelayOptions): RelayFirewall {
  return new Relay(options)
}

class Relay implements RelayFirewall {
  readonly #options: RelayOptions
  readonly #book: Book
  readonly #count: ConnectionCount
  readonly #trouble: (kind: Trouble['kind'], detail: string) => void
  readonly #sockets = new Set<Socket>()
  /** Connections with a grant, and what ends each. */
  readonly #carried = new Map<Tracked, () => void>()
  readonly #end = new AbortController()
  readonly #refused = { granted: 0, strangers: 0 }
  #servers: Server[] = []
  #installing: Promise<Result<void, FirewallFailure>> | undefined

  constructor(options: RelayOptions) {
    this.#options = options
    this.#book = new Book(options.maxGrants ?? DEFAULT_MAX_GRANTS)
    this.#count = new ConnectionCount({ ...defaultLimits, ...options.limits })
    this.#trouble = tellSparingly(options.onTrouble ?? (() => {}), () => this.#now())
  }

  /** Listens on all ports, or on none. */
  async install(): Promise<Result<void, FirewallFailure>> {
    this.#installing ??= this.#listen()
    const installed = await this.#installing
    if (!installed.ok) this.#installing = undefined
    return installed
  }

  async open(grants: readonly Grant[]): Promise<readonly Result<Opened, FirewallFailure>[]> {
    return grants.map((grant) => {
      for (const opening of grant.openings) {
        const why = this.#whyNot(grant.source, opening)
        if (why !== undefined) return refuse('FIREWALL_REFUSED', why)
      }
      const admitted = this.#book.admit(grant, this.#now())
      return admitted.ok ? ok(endedBy(admitted.value)) : admitted
    })
  }

  async revoke(ids: readonly GrantId[]): Promise<Result<void, FirewallFailure>> {
    for (const id of ids) this.#book.revoke(id, this.#now())
    return ok(undefined)
  }

  async endConnections(which: LetIn): Promise<Result<EndedConnections, FirewallFailure>> {
    const { connections, ...others } = chooseConnections([...this.#carried.keys()], which, true)
    for (const connection of connections) this.#carried.get(connection)?.()
    return ok({ connections: connections.length, ...others })
  }

  async grants(): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const now = this.#now()
    return ok(this.#book.live(now).map(({ grant, until }) => ({ grant, remaining: milliseconds(until - now) })))
  }

  /** Its grants end with the process. */
  kept(): Kept {
    return { grants: [], lost: 0 }
  }

  /** No other program can change what is in this process. */
  watch(): Result<void, FirewallFailure> {
    return ok(undefined)
  }

  async hostFindings(): Promise<Result<readonly Finding[], FirewallFailure>> {
    return ok([])
  }

  async isInPlace(): Promise<boolean> {
    return this.#servers.length > 0 && this.#servers.every(({ listening }) => listening)
  }

  guard(): undefined {
    return undefined
  }

  load(): CarriedLoad {
    const { granted, strangers, limits } = this.#count
    return { granted, strangers, limits, refused: { ...this.#refused } }
  }

  /** Ends the listening and every connection, which could not outlive the process. */
  async close(): Promise<void> {
    this.#end.abort()
    await this.#installing
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)))
    this.#servers = []
    for (const socket of this.#sockets) reset(socket)
    await Promise.all(closed)
  }

  #now(): Instant {
    return (this.#options.monotonic?.() ?? performance.now()) as Instant
  }

  async #listen(): Promise<Result<void, FirewallFailure>> {
    for (const { port, decoy, service } of this.#options.listeners) {
      for (const far of [decoy, service]) {
        if (far === undefined || far === 'reset' || !this.#leadsBack(far)) continue
        return refuse('FIREWALL_UNAVAILABLE', `tcp/${port} would be relayed to the relay itself, in a loop`)
      }
    }
    const servers: Server[] = []
    for (const listener of this.#options.listeners) {
      const server = await listen(
        listener,
        (socket) => void this.#accept(socket, listener),
        (detail) => this.#trouble('accept', detail),
      )
      if (!server.ok) {
        for (const other of servers) other.close()
        return server
      }
      servers.push(server.value)
    }
    this.#servers = servers
    return ok(undefined)
  }

  /** Why the relay cannot open this, for the operator. */
  #whyNot(source: IpAddress, opening: Opening): string | undefined {
    const what = describeOpening(opening)
    if (opening.kind === 'transit' || opening.kind === 'divert')
      return `${what}: the relay carries connections to its own ports only; FORWARD_ALL and DISABLE_DNAT need a firewall of the kernel`
    if (opening.protocol === 'udp') return `${what}: the relay carries TCP only`
    const port = opening.kind === 'access' ? opening.port : opening.publicPort
    const listeners = this.#options.listeners.filter((listener) => listener.port === port)
    if (listeners.length === 0) {
      const ports = [...new Set(this.#options.listeners.map((listener) => `tcp/${listener.port}`))].join(', ')
      return `${what}: the relay does not listen on tcp/${port}, only on ${ports}`
    }
    switch (opening.kind) {
      case 'access':
        if (listeners.every(({ service }) => service !== undefined)) return undefined
        return `${what}: RELAY names no service for that port; ask for a local port (--nat-local) instead`
      case 'ghost': {
        const port = opening.localPort
        if (!LOOPBACK.some((host) => this.#leadsBack({ host, port }))) return undefined
        return `${what}: the relay itself listens on tcp/${port}`
      }
      case 'forward': {
        const { address: host, port } = opening.target
        if (host !== source && !this.#leadsBack({ host, port })) return undefined
        return `${what}: that target leads back to the client or to the relay itself`
      }
      default:
        return opening satisfies never
    }
  }

  /** Whether a connection to `far` would arrive at one of our own listening sockets. */
  #leadsBack({ host, port }: { readonly host: IpAddress; readonly port: Port }): boolean {
    return this.#options.listeners.some(({ address, port: own }) => {
      if (own !== port) return false
      return address === undefined ? isLoopback(host) : address === host
    })
  }

  async #accept(client: Socket, listener: RelayListener): Promise<void> {
    client.on('error', () => {
      // `close` reports the error. Without a listener it would end the process.
    })
    const parsed = parseAddress(withoutZone(client.remoteAddress ?? ''))
    // Closed already.
    if (!parsed.ok) return void client.destroy()
    const source = parsed.value

    const key = wayKey(source, 'tcp', listener.port)
    const door = this.#book.lookUp(key, this.#now())
    const way = door?.kind === 'way' ? door : undefined
    if (way === undefined && listener.decoy === 'reset') return reset(client)
    const release = way === undefined ? this.#admitStranger(source) : this.#admitGranted(source, key)
    if (release === undefined) return reset(client)
    const pair = [client]
    const carried = way && asTracked(way, client)
    if (carried !== undefined) this.#carried.set(carried, () => pair.map(reset))
    // Each connection has two sockets, and keeps its place until both are closed.
    let sockets = 2
    const closed = (): void => {
      sockets--
      if (sockets > 0) return
      if (carried !== undefined) this.#carried.delete(carried)
      release()
    }
    this.#track(client, closed)
    const letGoOfStrangers = (socket: Socket): void => {
      if (way === undefined) socket.setTimeout(this.#options.strangerIdle ?? STRANGER_IDLE, () => reset(socket))
    }
    letGoOfStrangers(client)

    const endpoints = way === undefined ? decoyOf(listener) : this.#behind(way, listener)
    const timeout = this.#options.connectTimeout ?? CONNECT_TIME
    const far = await connectToFirst(endpoints, timeout, this.#end.signal)
    if (far instanceof Error) {
      closed()
      this.#trouble(way === undefined ? 'decoy' : 'service', `tcp/${listener.port} from ${source}: ${far.message}`)
      return reset(client)
    }
    pair.push(far)
    this.#track(far, closed)
    letGoOfStrangers(far)
    if (client.destroyed) return reset(far)
    splice(client, far)
  }

  #admitStranger(source: IpAddress): (() => void) | undefined {
    const release = this.#count.admitStranger(source)
    if (release !== undefined) return release
    this.#refused.strangers++
    this.#trouble('strangers full', `${source} has no grant, and no place is left for another connection from it`)
    return undefined
  }

  /** @param key of the way that is open to `source`. */
  #admitGranted(source: IpAddress, key: string): (() => void) | undefined {
    const holders = this.#book.holders(key, this.#now())
    const stanzas = holders.map(({ grant }) => describeStanza(grant.stanza, grant.stanzaName))
    const release = this.#count.admitGranted(source, stanzas)
    if (release !== undefined) return release
    this.#refused.granted++
    this.#trouble(
      'grants full',
      `${source} has a grant of ${stanzas.join(' and ')}, but no place is left for another connection from it`,
    )
    return undefined
  }

  /** The endpoints of a granted connection, to be tried in turn. */
  #behind({ source, to }: Way, listener: RelayListener): readonly Endpoint[] {
    if (to === 'itself') return listener.service === undefined ? [] : [listener.service]
    if ('localPort' in to) {
      // The service may listen on one of the two only; the client's own family is tried first.
      const hosts = familyOf(source) === 4 ? LOOPBACK : LOOPBACK.toReversed()
      return hosts.map((host) => ({ host, port: to.localPort }))
    }
    // The inner host always sees our address: user space cannot show it the client's.
    const translation = this.#book.lookUp(translationKey(source, 'tcp', to), this.#now())
    const as = translation?.kind === 'translation' ? translation.as : 'none'
    return [{ host: to.address, port: to.port, ...(typeof as === 'object' && { from: as.snat }) }]
  }

  #track(socket: Socket, closed: () => void): void {
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      closed()
    })
  }
}

/** As the kernel would track it, if it carried it. */
function asTracked({ source, publicPort, to }: Way, client: Socket): Tracked {
  const own = parseAddress(withoutZone(client.localAddress ?? ''))
  const here = own.ok ? own.value : source
  const [address, port] =
    to === 'itself' ? [here, publicPort] : 'localPort' in to ? [here, to.localPort] : [to.address, to.port]
  const sourcePort = client.remotePort ?? 0
  return {
    protocol: TCP,
    original: { source, sourcePort, destination: here, destinationPort: publicPort },
    reply: { source: address, sourcePort: port, destination: source, destinationPort: sourcePort },
    mark: 0,
    isOver: false,
    startedAt: Date.now(),
  }
}

function decoyOf({ decoy }: RelayListener): readonly Endpoint[] {
  return decoy === 'reset' ? [] : [decoy]
}

function isLoopback(host: IpAddress): boolean {
  return host === '::1' || (LOOPBACK_NETWORK.ok && networkContains(LOOPBACK_NETWORK.value, host))
}

/** `fe80::1%eth0`: a link-local client, which no grant can name. */
function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? ''
}
