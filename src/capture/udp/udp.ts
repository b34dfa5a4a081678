/**
 * Capture by plain UDP sockets that a privileged process bound (`open.ts`): an open port that never answers. The
 * destination address of a packet is not known here.
 */
import { monotonic } from '../../clock.ts'
import { addressFromBytes, type IpAddress } from '../../packet/address.ts'
import { describeErrno } from '../../system/errno.ts'
import { AF_INET, AF_INET6, libc } from '../../system/libc.ts'
import type { Port } from '../../units.ts'
import { type CaptureBounds, payloadBounds } from '../bounds.ts'
import { type Capture, type CaptureCounters, type CapturedPacket, captureError } from '../capture.ts'
import { FairShare } from '../fair-share.ts'
import { BATCH_SIZE, MessageBatch, NAME_STRIDE } from '../message-batch.ts'
import { UdpDrops } from './drops.ts'

export interface UdpCaptureOptions extends CaptureBounds {
  /** As `openUdpSockets` opened them, or as inherited. They stay open. */
  readonly fds: readonly number[]
}

// struct sockaddr_in: family 0, port 2, address 4; struct sockaddr_in6: family 0, port 2, flow 4, address 8
const PORT_AT = 2
const SOCKADDR_LENGTH = 28

/**
 * @throws Error with CAPTURE_FAILED in `cause` if a descriptor is not a bound UDP socket; another Error if the native
 * part is missing.
 */
export function udpCapture(options: UdpCaptureOptions): Capture {
  const { minimum, maximum } = payloadBounds(options)
  const batch = new MessageBatch(maximum)
  const ports = new Map(options.fds.map((fd) => [fd, portOf(fd)]))
  const drops = new UdpDrops()
  const names = new Uint8Array(batch.names.buffer)
  let taken = 0
  let received = 0
  let passedOver = 0
  const share = new FairShare(Math.random)
  return {
    fds: options.fds,
    get taken() {
      return taken
    },
    counters: (): CaptureCounters => ({ received, dropped: passedOver + drops.of([...ports.values()]) }),
    close: () => drops.close(),
    receive(fd) {
      const count = batch.receive(fd)
      taken += count
      share.begin(count, count === BATCH_SIZE, monotonic())
      const destinationPort = ports.get(fd) as Port
      const packets: CapturedPacket[] = []
      for (let i = 0; i < count; i++) {
        const payload = batch.payload(i)
        if (batch.isTruncated(i) || payload.length < minimum) continue
        if (!hasRoom(share, names, i * NAME_STRIDE)) {
          passedOver++
          continue
        }
        const sourcePort = batch.names.getUint16(i * NAME_STRIDE + PORT_AT) as Port
        const source = sourceOf(batch.names, i * NAME_STRIDE)
        if (source === undefined || sourcePort === 0) continue
        packets.push({ via: 'udp', payload, source, sourcePort, destinationPort })
      }
      received += packets.length
      return packets
    },
  }
}

/** @param at where a struct sockaddr begins. */
function hasRoom(share: FairShare, names: Uint8Array, at: number): boolean {
  return names[at] === AF_INET ? share.hasRoomFor4(names, at + 4) : share.hasRoomFor6(names, at + 8)
}

function sourceOf(names: DataView, at: number): IpAddress | undefined {
  const family = names.getUint16(at, true)
  if (family === AF_INET) return addressFromBytes(new Uint8Array(names.buffer, at + 4, 4))
  if (family === AF_INET6) return addressFromBytes(new Uint8Array(names.buffer, at + 8, 16))
  return undefined
}

function portOf(fd: number): Port {
  const name = new Uint8Array(SOCKADDR_LENGTH)
  const view = new DataView(name.buffer)
  const isBound = libc().getsockname(fd, name, Uint8Array.of(SOCKADDR_LENGTH, 0, 0, 0)) === 0
  if (isBound && [AF_INET, AF_INET6].includes(view.getUint16(0, true))) return view.getUint16(PORT_AT) as Port
  const why = isBound ? 'it has no address' : describeErrno(libc().errno())
  throw captureError({ code: 'CAPTURE_FAILED', detail: `the descriptor ${fd} is not a usable UDP socket: ${why}` })
}
