/**
 * Connections to the members of etcd that stay open: one request at a time on each. They cost a claim half of what
 * those of node:http do, which is built for more than a few requests to a few known servers (docs/BENCHMARKS.md).
 */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'
import { AnswerReader, type HttpAnswer } from './answer-reader.ts'
import { connectionReason } from './connection-reason.ts'

/** Connections to one member that wait for a request. */
const MOST_IDLE = 8
/** After this time of silence the kernel asks whether the other end is there. */
const ALIVE_AFTER = milliseconds(1000)

export interface EtcdMember {
  /** An address or a name. */
  readonly host: string
  readonly port: Port
}

export interface Exchange {
  readonly text: string
  readonly limit: Milliseconds
  /** In bytes, of the answer. */
  readonly longestBody: number
  readonly signal?: AbortSignal | undefined
}

export class Connections {
  readonly #secureContext: SecureContext | undefined
  readonly #idle = new Map<string, Wire[]>()
  readonly #all = new Set<Wire>()

  /** @param secureContext absent: plain TCP. */
  constructor(secureContext: SecureContext | undefined) {
    this.#secureContext = secureContext
  }

  /** Sends one request. Never rejects. @returns the answer, or why there is none: then it may have been done. */
  exchange(member: EtcdMember, exchange: Exchange): Promise<HttpAnswer | { readonly why: string }> {
    const { text, limit, longestBody, signal } = exchange
    return new Promise((resolve) => {
      const wire = this.#idle.get(keyOf(member))?.pop() ?? this.#open(member)
      const reader = new AnswerReader(longestBody)
      const end = (answer: HttpAnswer | { readonly why: string }): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        if ('why' in answer || !answer.staysOpen) this.#drop(wire)
        else this.#keep(member, wire)
        resolve(answer)
      }
      const onAbort = (): void => end({ why: 'not needed any more' })
      const timer = setTimeout(() => end({ why: `no answer within ${limit} ms` }), limit)
      signal?.addEventListener('abort', onAbort)
      wire.take = (what) => {
        const read = typeof what === 'string' ? { why: what } : reader.push(what)
        if (read !== undefined) end(read)
      }
      wire.socket.ref().write(text)
    })
  }

  close(): void {
    for (const wire of [...this.#all]) this.#drop(wire)
    this.#idle.clear()
  }

  #open({ host, port }: EtcdMember): Wire {
    const secureContext = this.#secureContext
    const name = isIP(host) === 0 ? { servername: host } : {}
    const socket =
      secureContext === undefined
        ? connect({ host, port })
        : connectTls({ host, port, ...name, secureContext, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] })
    const wire: Wire = { socket, take: () => {} }
    socket.setNoDelay(true).setKeepAlive(true, ALIVE_AFTER)
    socket.on('data', (part) => wire.take(part))
    socket.on('error', (error) => wire.take(connectionReason(error)))
    socket.on('close', () => wire.take('the connection ended without an answer'))
    this.#all.add(wire)
    return wire
  }

  /** Nobody asked it anything. Any byte that comes now ends it. */
  #keep(member: EtcdMember, wire: Wire): void {
    const key = keyOf(member)
    const idle = this.#idle.get(key) ?? []
    this.#idle.set(key, idle)
    if (idle.length >= MOST_IDLE) {
      this.#drop(wire)
      return
    }
    wire.take = () => {
      idle.splice(idle.indexOf(wire), 1)
      this.#drop(wire)
    }
    wire.socket.unref()
    idle.push(wire)
  }

  #drop(wire: Wire): void {
    this.#all.delete(wire)
    wire.take = () => {}
    wire.socket.destroy()
  }
}

interface Wire {
  readonly socket: Socket
  /** What to do with bytes that came, or with the reason why none come any more. */
  take: (what: Buffer | string) => void
}

function keyOf({ host, port }: EtcdMember): string {
  return `${host} ${port}`
}
