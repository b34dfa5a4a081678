/**
 * Raw IPv4 sockets through the C library: many packets with one call, any source address, and a wait shorter than a
 * millisecond. Layouts are those of 64-bit little-endian Linux.
 */
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'

const AF_INET = 2
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const IPPROTO_TCP = 6
const IPPROTO_RAW = 255
const SOL_SOCKET = 1
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const MSG_DONTWAIT = 0x40
const POLLIN = 1
const EAGAIN = 11
const ENOBUFS = 105

// struct mmsghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, len 56
const MMSGHDR = 64
const IOVEC = 16
const SOCKADDR_IN = 16

const library = koffi.load('libc.so.6')
const libc = {
  socket: library.func('int socket(int, int, int)'),
  setsockopt: library.func('int setsockopt(int, int, int, void *, uint32_t)'),
  sendmmsg: library.func('int sendmmsg(int, void *, unsigned int, int)'),
  recv: library.func('int64 recv(int, void *, size_t, int)'),
  ppoll: library.func('int ppoll(void *, unsigned long, void *, void *)'),
  close: library.func('int close(int)'),
}

/** Sends ready-made IP packets. */
export class PacketSender {
  readonly #socket = rawSocket(IPPROTO_RAW, SO_SNDBUFFORCE)

  /** Sends all of them, as fast as the kernel takes them. */
  send(batch: PacketBatch, first = 0, count = batch.size - first): void {
    for (let sent = 0; sent < count; ) {
      const taken: number = libc.sendmmsg(
        this.#socket,
        batch.headersFrom(first + sent),
        Math.min(1024, count - sent),
        0,
      )
      if (taken > 0) sent += taken
      // The queue of the device is full: the rest is offered again.
      else if (koffi.errno() !== EAGAIN && koffi.errno() !== ENOBUFS) throw systemError('sendmmsg')
    }
  }

  close(): void {
    libc.close(this.#socket)
  }
}

/** Packets laid out for sendmmsg(2). They are sent from this memory, so changes in place are sent. */
export class PacketBatch {
  readonly size: number
  readonly #headers: Uint8Array
  // Kept, because the headers point to it.
  readonly packets: readonly Uint8Array[]
  readonly #vectors: Uint8Array
  readonly #name: Uint8Array

  /** @param destination of all of them, as a number: the route is chosen by it. */
  constructor(packets: readonly Uint8Array[], destination: number) {
    this.size = packets.length
    const room = new Uint8Array(new ArrayBuffer(packets.reduce((sum, { length }) => sum + length, 0)))
    this.#headers = new Uint8Array(new ArrayBuffer(packets.length * MMSGHDR))
    this.#vectors = new Uint8Array(new ArrayBuffer(packets.length * IOVEC))
    this.#name = new Uint8Array(new ArrayBuffer(SOCKADDR_IN))
    const name = new DataView(this.#name.buffer)
    name.setUint16(0, AF_INET, true)
    name.setUint32(4, destination)

    const at = { room: koffi.address(room), vectors: koffi.address(this.#vectors), name: koffi.address(this.#name) }
    const headers = new DataView(this.#headers.buffer)
    const vectors = new DataView(this.#vectors.buffer)
    let offset = 0
    this.packets = packets.map((packet, i) => {
      const copy = room.subarray(offset, offset + packet.length)
      copy.set(packet)
      vectors.setBigUint64(i * IOVEC, at.room + BigInt(offset), true)
      vectors.setBigUint64(i * IOVEC + 8, BigInt(packet.length), true)
      headers.setBigUint64(i * MMSGHDR, at.name, true)
      headers.setUint32(i * MMSGHDR + 8, SOCKADDR_IN, true)
      headers.setBigUint64(i * MMSGHDR + 16, at.vectors + BigInt(i * IOVEC), true)
      headers.setBigUint64(i * MMSGHDR + 24, 1n, true)
      offset += packet.length
      return copy
    })
  }

  headersFrom(index: number): Uint8Array {
    return this.#headers.subarray(index * MMSGHDR)
  }
}

/** Receives all TCP packets that reach this host. */
export class TcpListener {
  readonly #socket = rawSocket(IPPROTO_TCP, SO_RCVBUFFORCE)
  readonly #buffer = new Uint8Array(new ArrayBuffer(256))
  readonly #pollfd = new Uint8Array(new ArrayBuffer(8))
  readonly #timespec = new Uint8Array(new ArrayBuffer(16))

  /** @returns the next packet that has already arrived, valid until the next call. */
  next(): Uint8Array | undefined {
    const length = Number(libc.recv(this.#socket, this.#buffer, this.#buffer.length, MSG_DONTWAIT))
    if (length >= 0) return this.#buffer.subarray(0, length)
    if (koffi.errno() === EAGAIN) return undefined
    throw systemError('recv')
  }

  /** Sleeps until there is a packet, at most `milliseconds`. */
  wait(milliseconds: number): void {
    if (milliseconds <= 0) return
    const poll = new DataView(this.#pollfd.buffer)
    poll.setInt32(0, this.#socket, true)
    poll.setInt16(4, POLLIN, true)
    const time = new DataView(this.#timespec.buffer)
    time.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true)
    time.setBigInt64(8, BigInt(Math.floor((milliseconds % 1000) * 1e6)), true)
    libc.ppoll(this.#pollfd, 1, this.#timespec, null)
  }

  close(): void {
    libc.close(this.#socket)
  }
}

function rawSocket(protocol: number, bufferOption: number): number {
  const socket: number = libc.socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, protocol)
  if (socket < 0) throw systemError('socket')
  const size = new Uint8Array(new Int32Array([16 << 20]).buffer)
  libc.setsockopt(socket, SOL_SOCKET, bufferOption, size, size.length)
  return socket
}

function systemError(call: string): Error {
  return new Error(`${call}: ${getSystemErrorName(-koffi.errno())}`)
}
