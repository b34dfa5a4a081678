/**
 * Capture by Node's own UDP sockets: an open port that never answers. It needs no native part and no privilege, so it
 * also works in containers, on laptops and on macOS. The destination address of a packet is not known here.
 */
import { type BindOptions, createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { addressFromBytes, parseAddress } from '../../packet/address.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import { DEFAULT_RECEIVE_BUFFER } from '../../system/libc.ts'
import type { Port } from '../../units.ts'
import { type CaptureBounds, payloadBounds, singlePorts } from '../bounds.ts'
import {
  type CaptureCounters,
  type CapturedPacket,
  type CaptureFailure,
  captureError,
  type EventCapture,
} from '../capture.ts'
import { UdpDrops } from './drops.ts'

/**
 * Binds its own sockets when it runs, on every address of both families. Running it rejects with CAPTURE_DENIED for a
 * port that this user may not bind, and with CAPTURE_FAILED for a port in use or a range of ports.
 */
export function udpEvents(bounds: CaptureBounds): EventCapture {
  let received = 0
  let ports: readonly number[] = []
  let drops: UdpDrops | undefined
  const { minimum, maximum } = payloadBounds(bounds)
  return {
    counters: (): CaptureCounters => ({ received, dropped: drops?.of(ports) ?? 0 }),
    async run(deliver, signal, ready) {
      if (signal.aborted) return
      const sockets: Socket[] = []
      try {
        await bindAll(bounds, sockets)
        ports = sockets.map((socket) => socket.address().port)
        for (const socket of sockets) {
          const { port } = socket.address()
          socket.on('error', (error: NodeJS.ErrnoException) => {
            if (error.syscall !== NAMING_A_LINK) return
            received++
            deliver([fromNamelessLink(port as Port)])
          })
          socket.on('message', (payload, from) => {
            if (payload.length < minimum || payload.length > maximum) return
            const packet = packetOf(payload, from, port as Port)
            if (packet === undefined) return
            received++
            deliver([packet])
          })
        }
        drops = new UdpDrops()
        if (!signal.aborted) ready()
        await aborted(signal)
      } finally {
        drops?.close()
        drops = undefined
        for (const socket of sockets) {
          socket.removeAllListeners('message')
          socket.close()
        }
      }
    },
  }
}

/** @param sockets gets those that are bound, even if a later one cannot be bound. */
async function bindAll(bounds: CaptureBounds, sockets: Socket[]): Promise<void> {
  const ports = singlePorts(bounds)
  if (!ports.ok) throw captureError(ports.failure)
  for (const port of ports.value) {
    const socket = await bindEitherFamily(port)
    sockets.push(socket)
    raiseBuffer(socket)
  }
}

function packetOf(payload: Buffer, from: RemoteInfo, destinationPort: Port): CapturedPacket | undefined {
  const [address = ''] = from.address.split('%') // fe80::1%eth0
  const source = parseAddress(address)
  if (!source.ok || from.port === 0) return undefined
  return { via: 'udp', payload, source: source.value, sourcePort: from.port as Port, destinationPort }
}

/**
 * Node adds the name of the link to a link-local source. If the kernel does not give that name, Node loses the packet.
 * This happens in a confined receiver, or if the interface is gone.
 */
const NAMING_A_LINK = 'uv_if_indextoiid'

function fromNamelessLink(destinationPort: Port): CapturedPacket {
  return {
    via: 'udp',
    payload: new Uint8Array(0),
    source: LINK_LOCAL,
    sourcePort: 0 as Port,
    destinationPort,
    doubt: {
      code: 'ACCESS_SOURCE_UNUSABLE',
      detail: 'it came from a link-local address, which is another host on each link',
    },
  }
}

/** `fe80::`, in place of every link-local address. */
const LINK_LOCAL = addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))

async function bindEitherFamily(port: Port): Promise<Socket> {
  try {
    return await bound('udp6', { port, address: '::', exclusive: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw captureError(bindFailure(port, error))
  }
  try {
    return await bound('udp4', { port, address: '0.0.0.0', exclusive: true })
  } catch (error) {
    throw captureError(bindFailure(port, error))
  }
}

/** The socket is closed on failure. Later errors concern one datagram; the socket goes on. */
async function bound(type: 'udp4' | 'udp6', options: BindOptions): Promise<Socket> {
  const socket = createSocket({ type })
  try {
    const listening = once(socket, 'listening')
    socket.bind(options)
    await listening
  } catch (error) {
    socket.close()
    throw error
  }
  socket.on('error', () => {})
  return socket
}

function raiseBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(DEFAULT_RECEIVE_BUFFER / 2) // the kernel doubles it, and gives what its limit allows
  } catch {
    // A system that refuses instead of giving less: its default must do.
  }
}

function bindFailure(port: Port, error: unknown): CaptureFailure {
  if (errorCode(error) !== 'EACCES')
    return { code: 'CAPTURE_FAILED', detail: `UDP port ${port}: ${systemReason(error)}` }
  return { code: 'CAPTURE_DENIED', detail: `this user may not listen on UDP port ${port}: choose a port above 1023` }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
