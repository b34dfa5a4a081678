/**
 * Passive capture from packet sockets that somebody with privilege has opened (`open.ts`). Needs none
 * itself.
 */

import { monotonic } from '../../clock.ts'
import { interfaceName } from '../../system/interface-name.ts'
import { libc, PACKET_AUXDATA, SOL_PACKET } from '../../system/libc.ts'
import { type CaptureBounds, payloadBounds } from '../bounds.ts'
import type { Capture, CaptureCounters, CapturedPacket } from '../capture.ts'
import { LOOPBACK_INDEX } from '../disbelief.ts'
import { FairShare } from '../fair-share.ts'
import { BATCH_SIZE, CONTROL_STRIDE, MessageBatch, NAME_STRIDE } from '../message-batch.ts'
import { parseFrame } from './frame.ts'
import { CARRIERS_OF } from './ip-header.ts'
import { PACKET_OUTGOING } from './spa-filter.ts'

export interface PacketSocketCaptureOptions extends CaptureBounds {
  /** As opened by `openPacketSockets`, or as inherited. They stay open. */
  readonly fds: readonly number[]
  /** Names of the interfaces to listen to; none means all. One that does not exist yet may come. */
  readonly interfaces: readonly string[]
}

/** IPv6 header, {@link EXTENSION_HEADERS} of common length, and UDP header or TCP header with options; rounded up. */
const LONGEST_HEADERS = { udp: 128, all: 192 }
const PACKET_STATISTICS = 6
// struct sockaddr_ll: family 0, protocol 2, ifindex 4, hatype 8, pkttype 10, halen 11, addr 12
const INTERFACE_INDEX_AT = 4
const PACKET_TYPE_AT = 10
// struct cmsghdr: len 0, level 8, type 12; then struct tpacket_auxdata: status 16, and what is not read here
const LEVEL_AND_TYPE_AT = 8
const STATUS_AT = 16
/** Both in one number: level and type follow each other. */
const AUXDATA = BigInt(SOL_PACKET) | (BigInt(PACKET_AUXDATA) << 32n)
const TP_STATUS_CSUMNOTREADY = 1 << 3
const TP_STATUS_CSUM_VALID = 1 << 7

/** @throws Error where the native part cannot be loaded. */
export function packetSocketCapture(options: PacketSocketCaptureOptions): Capture {
  const { fds, interfaces } = options
  const share = new FairShare(Math.random)
  const isUdpOnly = options.filter === undefined
  const protocols = isUdpOnly ? undefined : CARRIERS_OF
  const batch = new MessageBatch(payloadBounds(options).maximum + LONGEST_HEADERS[isUdpOnly ? 'udp' : 'all'])
  let taken = 0
  let received = 0
  let dropped = 0
  let elsewhere = 0
  /** Index of the interface of the latest packet that came in elsewhere. */
  let latest = 0
  return {
    fds,
    get taken() {
      return taken
    },
    counters(): CaptureCounters {
      for (const fd of fds) dropped += takeStatistics(fd).dropped
      return { received, dropped, ...(elsewhere > 0 && { elsewhere: { packets: elsewhere, interfaceIndex: latest } }) }
    },
    close() {},
    receive(fd) {
      const count = batch.receive(fd)
      taken += count
      share.begin(count, count === BATCH_SIZE, monotonic())
      const packets: CapturedPacket[] = []
      // Asked for each batch again: an interface may vanish, return under another index, or be renamed.
      const wanted = new Map<number, boolean>()
      for (let i = 0; i < count; i++) {
        if (batch.isTruncated(i)) continue
        const interfaceIndex = batch.names.getInt32(i * NAME_STRIDE + INTERFACE_INDEX_AT, true)
        if (interfaces.length > 0 && !isWanted(fd, interfaceIndex, interfaces, wanted)) {
          // TCP that is not a knock may be for a web server there.
          if (isUdpOnly) {
            elsewhere++
            latest = interfaceIndex
          }
          continue
        }
        if (!hasRoom(share, batch.payloads, batch.payloadAt(i))) {
          dropped++
          continue
        }
        const arrival = { interfaceIndex, isChecksumUnchecked: isChecksumUnchecked(batch, i) }
        const packet = parseFrame(batch.payload(i), arrival, protocols)
        if (packet === undefined) continue
        if (batch.names.getUint8(i * NAME_STRIDE + PACKET_TYPE_AT) !== PACKET_OUTGOING) packets.push(packet)
        // What is sent over lo comes in there as well.
        else if (interfaceIndex !== LOOPBACK_INDEX) packets.push(ofThisHost(packet))
      }
      received += packets.length
      return packets
    },
  }
}

/** The kernel is not asked whether it would accept what this host itself has sent, or forwarded. */
function ofThisHost({ interfaceIndex: _, ...packet }: CapturedPacket): CapturedPacket {
  return packet
}

/** @param at where a frame begins. */
function hasRoom(share: FairShare, frames: Uint8Array, at: number): boolean {
  // The filter lets nothing shorter than a header through.
  return (frames[at] ?? 0) >> 4 === 4 ? share.hasRoomFor4(frames, at + 12) : share.hasRoomFor6(frames, at + 8)
}

function isWanted(
  fd: number,
  index: number,
  interfaces: readonly string[],
  known: Map<number, boolean>,
): boolean | undefined {
  if (!known.has(index)) known.set(index, interfaces.includes(interfaceName(fd, index) ?? ''))
  return known.get(index)
}

/**
 * Whether nobody has checked the UDP checksum: neither a network card, nor is it still to be filled in by one (virtual
 * links leave it out). Also true where the kernel says nothing about it.
 */
function isChecksumUnchecked(batch: MessageBatch, i: number): boolean {
  const control = i * CONTROL_STRIDE
  if (!batch.hasControl(i)) return true
  if (batch.controls.getBigUint64(control + LEVEL_AND_TYPE_AT, true) !== AUXDATA) return true
  const status = batch.controls.getUint32(control + STATUS_AT, true)
  return (status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) === 0
}

/** What came to a socket, and what of that the kernel had no room for. Each call starts both again from 0. */
export function takeStatistics(fd: number): { readonly packets: number; readonly dropped: number } {
  const statistics = new Uint8Array(8) // packets, drops
  const length = Uint8Array.of(8, 0, 0, 0)
  if (libc().getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, length) < 0) return { packets: 0, dropped: 0 }
  const view = new DataView(statistics.buffer)
  return { packets: view.getUint32(0, true), dropped: view.getUint32(4, true) }
}
