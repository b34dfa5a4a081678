/**
 * Delivery in IP packets that are made here from their header on: by UDP, in a TCP SYN, or by ICMP, and from a spoofed
 * source address if wanted. Needs root or CAP_NET_RAW, and Linux.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { addressBytes, familyOf, type IpAddress, parseSocketAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { describeErrno, systemReason } from '../system/errno.ts'
import { AF_INET, AF_INET6, libc, SOCK_CLOEXEC, SOCK_RAW } from '../system/libc.ts'
import { type Port, port } from '../units.ts'
import type { Delivery } from './delivery.ts'
import { describeTarget, explainError, type Target } from './explain-error.ts'
import { type RawTransport, rawPacket } from './raw-packet.ts'

export interface RawDeliveryOptions {
  readonly transport: RawTransport
  /** The source address in the IP header. Absent: the one that this host sends from. */
  readonly spoofedSource?: IpAddress
  /** Absent: a random one for each packet. */
  readonly sourcePort?: Port
  /** 0 to 255. Absent: that of an echo reply. */
  readonly icmpType?: number
  /** 0 to 255. */
  readonly icmpCode?: number
}

/** Sends packets with their IP header, over IPv4 and IPv6 (raw(7), ipv6(7)). */
const IPPROTO_RAW = 255
const EPERM = 1

const protocols = { udpraw: 'udp', tcpraw: 'tcp', icmp: 'icmp' } as const

/** @returns a delivery whose `send` is `SEND_FAILED` without the privilege or a route, or where the kernel refuses. */
export function rawDelivery(options: RawDeliveryOptions): Delivery {
  const { transport, spoofedSource, sourcePort } = options
  return {
    async send({ text, address, port: destinationPort }) {
      const protocol = protocols[transport]
      const target = { address, protocol, ...(protocol === 'icmp' ? {} : { port: destinationPort }) }
      const family = familyOf(address)
      if (spoofedSource !== undefined && familyOf(spoofedSource) !== family) {
        const detail = `the spoofed source ${spoofedSource} is not an IPv${family} address`
        return refuse('SEND_FAILED', `${describeTarget(target)}: ${detail}`)
      }
      const source = spoofedSource === undefined ? await ownAddressTowards(address, target) : ok(spoofedSource)
      if (!source.ok) return source
      const header = {
        ...options,
        source: source.value,
        destination: address,
        sourcePort: sourcePort ?? randomSourcePort(),
        destinationPort,
        random: randomBytes(4).readUInt32BE(),
      }
      const sent = sendRaw(address, rawPacket(header, text), target)
      return sent.ok ? ok({ localAddress: source.value, at: performance.now() }) : sent
    },
  }
}

/** 10000 to 65534, as fwknop. */
function randomSourcePort(): Port {
  return port(10_000 + (randomBytes(4).readUInt32BE() % 55_535))
}

/** Whether this process may send such packets. @returns why not. */
export function checkRawSockets(): Result<void, Failure<'PRIVILEGE_MISSING'>> {
  try {
    const socket = openSocket(AF_INET)
    if (typeof socket === 'string') return refuse('PRIVILEGE_MISSING', socket)
    libc().close(socket)
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_MISSING', systemReason(error))
  }
}

/** A socket that only sends. @returns its descriptor, or why there is none. */
function openSocket(family: number): number | string {
  const native = libc()
  const socket = native.socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)
  if (socket >= 0) return socket
  const errno = native.errno()
  return errno === EPERM
    ? 'packets of this kind need root, or the capability CAP_NET_RAW (EPERM)'
    : `no raw socket: ${describeErrno(errno)}`
}

function sendRaw(address: IpAddress, packet: Uint8Array, target: Target): Result<void, Failure<'SEND_FAILED'>> {
  const failed = (cause: string) => refuse('SEND_FAILED', `${describeTarget(target)}: ${cause}`)
  try {
    const family = familyOf(address) === 4 ? AF_INET : AF_INET6
    const socket = openSocket(family)
    if (typeof socket === 'string') return failed(socket)
    const native = libc()
    try {
      const to = socketAddress(family, addressBytes(address))
      if (native.sendto(socket, packet, packet.length, 0, to, to.length) === packet.length) return ok(undefined)
      return failed(describeErrno(native.errno()))
    } finally {
      native.close(socket)
    }
  } catch (error) {
    return failed(systemReason(error))
  }
}

/** `struct sockaddr_in`, or `struct sockaddr_in6`. A raw socket has no port. */
function socketAddress(family: number, address: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28)
  new DataView(bytes.buffer).setUint16(0, family, true)
  bytes.set(address, family === AF_INET ? 4 : 8)
  return bytes
}

/** The address that the system would send from: it is part of the checksums. */
function ownAddressTowards(address: IpAddress, target: Target): Promise<Result<IpAddress, Failure<'SEND_FAILED'>>> {
  const family = familyOf(address)
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    lookup: (host, _options, callback) => callback(null, host, family),
  })
  return new Promise((resolve) => {
    const settle = (outcome: Result<IpAddress, Failure<'SEND_FAILED'>>): void => {
      socket.close()
      resolve(outcome)
    }
    const failed = (error: Error): void => settle(refuse('SEND_FAILED', explainError(error, target)))
    socket.once('error', failed)
    // Sends nothing: a connected UDP socket only has a route. Any port does.
    socket.connect(9, address, (error?: Error) => {
      if (error) {
        failed(error)
        return
      }
      const own = parseSocketAddress(socket.address().address)
      settle(own.ok ? own : refuse('SEND_FAILED', `${describeTarget(target)}: ${own.failure.detail}`))
    })
  })
}
