/**
 * Connections to the members of etcd: HTTP/2 of node:http2, one for each member, shared by all requests. One that fails
 * is left at once, and the next request makes another. So is one on which a request heard nothing: after a cut of the
 * network the kernel would go on for minutes to send what is lost.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import { formatHostPort } from '../packet/address.ts'
import { milliseconds, type Port } from '../units.ts'
import { connectionReason } from './connection-reason.ts'

/** After this time of silence the kernel asks whether the other end is there. */
const ALIVE_AFTER = milliseconds(1000)
/** Bytes of the head of an answer. etcd’s has some 100. */
const LONGEST_HEAD = 16 * 1024
/** Bytes that a member may send before they are read: of one answer, and of all together. */
const [STREAM_WINDOW, WINDOW] = [1024 * 1024, 4 * 1024 * 1024] as const
/** A request that hears nothing for so long makes no judgement of its connection. */
const FAIR_TIME = milliseconds(250)

export interface EtcdMember {
  /** An address or a name. */
  readonly host: string
  readonly port: Port
}

/** One connection. */
export class Session {
  readonly #http: ClientHttp2Session
  readonly #socket: Socket
  #heardAt = performance.now()
  #underWay = 0
  #why: string | undefined
  #isLeaving = false

  /** @param secureContext absent: plain TCP. */
  constructor({ host, port }: EtcdMember, secureContext: SecureContext | undefined) {
    const to = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: ALIVE_AFTER }
    const name = isIP(host) === 0 ? { servername: host } : {}
    this.#socket =
      secureContext === undefined
        ? connectTcp(to)
        : connectTls({ ...to, ...name, secureContext, rejectUnauthorized: true, ALPNProtocols: ['h2'] })
    const scheme = secureContext === undefined ? 'http' : 'https'
    this.#http = connect(`${scheme}://${formatHostPort(host, port)}`, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: LONGEST_HEAD },
    })
    this.#http.on('connect', () => {
      this.#heardAt = performance.now()
      this.#http.setLocalWindowSize(WINDOW)
    })
    const onError = (error: Error): void => {
      this.#why ??= connectionReason(error)
    }
    // Of TLS, the reason is here alone.
    this.#socket.on('error', onError)
    this.#http.on('error', onError)
    this.#http.on('goaway', () => {
      this.#isLeaving = true
    })
    // What waits for nothing keeps no process alive.
    this.#http.unref()
  }

  /** Whether it can take requests. */
  get isOpen(): boolean {
    return this.#why === undefined && !this.#isLeaving && !this.#http.closed && !this.#http.destroyed
  }

  /** Why it has failed. Absent: it has not, or nobody knows. */
  get why(): string | undefined {
    return this.#why
  }

  /** @throws Error if it is not open any more. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    const stream = this.#http.request(headers)
    if (this.#underWay++ === 0) this.#http.ref()
    stream.on('close', () => {
      if (--this.#underWay === 0 && !this.#http.destroyed) this.#http.unref()
    })
    for (const sign of ['response', 'data'] as const)
      stream.on(sign, () => {
        this.#heardAt = performance.now()
      })
    return stream
  }

  /** A request that began then has no answer: if the others have none either, the connection is not used any more. */
  doubt(since: number): void {
    if (this.#heardAt < since && performance.now() - since > FAIR_TIME) this.end('nothing is heard of it')
  }

  end(why: string): void {
    this.#why ??= why
    this.#http.destroy()
    this.#socket.destroy()
  }
}

export class Sessions {
  readonly #secureContext: SecureContext | undefined
  readonly #open = new Map<string, Session>()

  /** @param secureContext absent: plain TCP. */
  constructor(secureContext: SecureContext | undefined) {
    this.#secureContext = secureContext
  }

  /** The one that all requests to this member share. */
  to(member: EtcdMember): Session {
    const name = formatHostPort(member.host, member.port)
    const known = this.#open.get(name)
    if (known?.isOpen) return known
    const session = this.alone(member)
    this.#open.set(name, session)
    return session
  }

  /** One for a single request. Its user ends it. */
  alone(member: EtcdMember): Session {
    return new Session(member, this.#secureContext)
  }

  close(): void {
    for (const session of this.#open.values()) session.end('not needed any more')
    this.#open.clear()
  }
}
