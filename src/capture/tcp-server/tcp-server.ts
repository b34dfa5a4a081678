/**
 * The TCP server of ENABLE_TCP_SERVER: connections that bring one packet each. It accepts from a socket that somebody
 * with privilege opened (`open.ts`), reads one packet, and closes. It never answers.
 *
 * All sockets are non-blocking, and in the poll(2) loop of the receiver. What a stranger can occupy is bounded: the
 * connections at a time, those of one source, the bytes and the time of each. The oldest connection makes room for a
 * new one, and what it has sent by then counts. So nobody is kept out by connections that say nothing.
 */
import { constants } from 'node:os'
import { monotonic } from '../../clock.ts'
import { addressFromBytes, familyOf, type IpAddress, maskAddress } from '../../packet/address.ts'
import { AF_INET, AF_INET6, type Libc, libc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK } from '../../system/libc.ts'
import { type Milliseconds, milliseconds, type Port } from '../../units.ts'
import { type CaptureBounds, payloadBounds } from '../bounds.ts'
import type { Capture, CaptureCounters, CapturedPacket } from '../capture.ts'
import { FairShare } from '../fair-share.ts'

export interface TcpServerOptions extends Pick<CaptureBounds, 'minimumPayload' | 'maximumPayload'> {
  /** The socket that listens. It stays open. */
  readonly fd: number
}

/** Connections at a time. */
export const MOST_CONNECTIONS = 64
/** Of one source. Over IPv6 a source is a network of 64 bits. */
const MOST_OF_SOURCE = 8
/** From the accept on. What came by then is looked at. */
export const LONGEST_TIME = milliseconds(1000)
/** Accepted in one turn, so that other captures get theirs. */
const BATCH = 16

// struct sockaddr_in: family 0, port 2, address 4; struct sockaddr_in6: family 0, port 2, flow 4, address 8
const SOCKADDR_LENGTH = 28
const { EAGAIN, EINTR, EBADF, EINVAL, ENOTSOCK } = constants.errno
const FATAL = new Set([EBADF, EINVAL, ENOTSOCK])

interface Connection {
  readonly fd: number
  readonly from: Pick<CapturedPacket, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>
  /** What one source may have few of. */
  readonly origin: string
  readonly dueAt: Milliseconds
  readonly bytes: Uint8Array
  length: number
}

/** @throws Error where the native part is missing, or the descriptor does not listen. */
export function tcpServerCapture(options: TcpServerOptions): Capture {
  return new TcpServer(options)
}

class TcpServer implements Capture {
  readonly #native: Libc = libc()
  readonly #listener: number
  readonly #bounds: { readonly minimum: number; readonly maximum: number }
  readonly #share = new FairShare(Math.random)
  /** By descriptor, in the order of their arrival. */
  readonly #connections = new Map<number, Connection>()
  readonly #ofOrigin = new Map<string, number>()
  #fds: readonly number[]
  #taken = 0
  #received = 0
  #dropped = 0

  constructor(options: TcpServerOptions) {
    this.#listener = options.fd
    this.#bounds = payloadBounds(options)
    this.#fds = [options.fd]
  }

  get fds(): readonly number[] {
    return this.#fds
  }

  get taken(): number {
    return this.#taken
  }

  counters(): CaptureCounters {
    return { received: this.#received, dropped: this.#dropped }
  }

  close(): void {
    for (const connection of [...this.#connections.values()]) this.#end(connection)
  }

  receive(fd: number): readonly CapturedPacket[] {
    const connection = this.#connections.get(fd)
    const packets = fd === this.#listener ? this.#accept() : connection === undefined ? [] : this.#read(connection)
    return this.#handOn(packets)
  }

  get dueAt(): Milliseconds | undefined {
    return this.#connections.values().next().value?.dueAt
  }

  expire(now: Milliseconds): readonly CapturedPacket[] {
    const packets: CapturedPacket[] = []
    for (const connection of this.#connections.values()) {
      if (connection.dueAt > now) break
      packets.push(...this.#complete(connection))
    }
    return this.#handOn(packets)
  }

  #handOn(packets: readonly CapturedPacket[]): readonly CapturedPacket[] {
    const open = this.#connections.size
    // The same number may be other descriptors. They are compared only if something has changed.
    if (open + 1 !== this.#fds.length || this.#fds.some((fd, i) => i > 0 && !this.#connections.has(fd)))
      this.#fds = [this.#listener, ...this.#connections.keys()]
    this.#received += packets.length
    return packets
  }

  #accept(): CapturedPacket[] {
    const packets: CapturedPacket[] = []
    const name = new Uint8Array(SOCKADDR_LENGTH)
    let accepted = 0
    for (; accepted < BATCH; accepted++) {
      const fd = this.#native.accept4(
        this.#listener,
        name,
        Uint8Array.of(SOCKADDR_LENGTH, 0, 0, 0),
        SOCK_NONBLOCK | SOCK_CLOEXEC,
      )
      if (fd < 0) {
        const errno = this.#native.errno()
        if (FATAL.has(errno)) throw new Error('the TCP server cannot accept connections any more')
        // Other errors are of the connection that would have come; with too many descriptors it waits.
        if (errno !== EINTR) break
        continue
      }
      this.#taken++
      packets.push(...this.#welcome(fd, name))
    }
    this.#share.begin(accepted, accepted === BATCH, monotonic())
    return packets
  }

  /** @param name of the other side. */
  #welcome(fd: number, name: Uint8Array): CapturedPacket[] {
    const source = endOf(name)
    const destination = this.#localEnd(fd)
    const isFair = source !== undefined && hasRoom(this.#share, name)
    if (source === undefined || destination === undefined || !isFair) return this.#turnAway(fd)
    const origin = familyOf(source.address) === 4 ? source.address : maskAddress(source.address, 64)
    if (this.#countOf(origin) >= MOST_OF_SOURCE) return this.#turnAway(fd)
    const packets: CapturedPacket[] = []
    const [oldest] = this.#connections.values()
    if (this.#connections.size >= MOST_CONNECTIONS && oldest !== undefined) packets.push(...this.#complete(oldest))
    // Only now: the oldest may have been one of the same source.
    this.#ofOrigin.set(origin, this.#countOf(origin) + 1)
    const connection: Connection = {
      fd,
      origin,
      from: {
        ...{ source: source.address, sourcePort: source.port },
        ...{ destination: destination.address, destinationPort: destination.port },
      },
      dueAt: milliseconds(monotonic() + LONGEST_TIME),
      bytes: new Uint8Array(this.#bounds.maximum + 1),
      length: 0,
    }
    this.#connections.set(fd, connection)
    // The kernel waits for data before it hands a connection over.
    packets.push(...this.#read(connection))
    return packets
  }

  #countOf(origin: string): number {
    return this.#ofOrigin.get(origin) ?? 0
  }

  #turnAway(fd: number): CapturedPacket[] {
    this.#native.close(fd)
    this.#dropped++
    return []
  }

  #localEnd(fd: number) {
    const name = new Uint8Array(SOCKADDR_LENGTH)
    const isNamed = this.#native.getsockname(fd, name, Uint8Array.of(SOCKADDR_LENGTH, 0, 0, 0)) === 0
    return isNamed ? endOf(name) : undefined
  }

  /** Reads what is there. @returns the packet, if it is complete. */
  #read(connection: Connection): readonly CapturedPacket[] {
    for (;;) {
      const room = connection.bytes.subarray(connection.length)
      const length = this.#native.recv(connection.fd, room, room.length, MSG_DONTWAIT)
      if (length > 0) {
        this.#taken++
        connection.length += length
        if (connection.length > this.#bounds.maximum) return this.#giveUp(connection)
        if (isWholeRequest(connection)) return this.#complete(connection)
        continue
      }
      if (length === 0) return this.#complete(connection)
      const errno = this.#native.errno()
      if (errno === EINTR) continue
      // A connection that was reset may have sent a packet before.
      return errno === EAGAIN ? [] : this.#complete(connection)
    }
  }

  /** Closes it. @returns what it has sent, if that can be a packet. */
  #complete(connection: Connection): CapturedPacket[] {
    this.#end(connection)
    this.#taken++
    const payload = connection.bytes.subarray(0, connection.length)
    if (payload.length < this.#bounds.minimum) return []
    return [{ via: 'tcp-server', carrier: 'tcp', payload, ...connection.from }]
  }

  #giveUp(connection: Connection): readonly CapturedPacket[] {
    this.#end(connection)
    this.#dropped++
    return []
  }

  #end({ fd, origin }: Connection): void {
    this.#native.close(fd)
    this.#connections.delete(fd)
    const left = this.#countOf(origin) - 1
    if (left > 0) this.#ofOrigin.set(origin, left)
    else this.#ofOrigin.delete(origin)
  }
}

/** `GET ` and an empty line: the client may wait for an answer. */
function isWholeRequest({ bytes, length }: Connection): boolean {
  const isRequest = ((bytes[0] ?? 0) | 0x20) === 0x67 && bytes[3] === 0x20
  const end = [13, 10, 13, 10]
  return isRequest && end.every((byte, i) => bytes[length - end.length + i] === byte)
}

/** @param name a struct sockaddr. */
function endOf(name: Uint8Array): { readonly address: IpAddress; readonly port: Port } | undefined {
  const fields = new DataView(name.buffer)
  const family = fields.getUint16(0, true)
  const port = fields.getUint16(2) as Port
  if (port === 0) return undefined
  if (family === AF_INET) return { address: addressFromBytes(name.slice(4, 8)), port }
  return family === AF_INET6 ? { address: addressFromBytes(name.slice(8, 24)), port } : undefined
}

function hasRoom(share: FairShare, name: Uint8Array): boolean {
  return name[0] === AF_INET ? share.hasRoomFor4(name, 4) : share.hasRoomFor6(name, 8)
}
