/**
 * Capture from a file that somebody with privilege has opened (`open.ts`): the packets that pass the filter, in the
 * order of the file. Nothing is known of where the file comes from. The kernel is not asked about its packets, and
 * their checksums may have been left to a network card.
 */
import { readSync } from 'node:fs'
import { type FilteredPacket, passes } from '../../config/server/pcap-filter.ts'
import { familyOf, networkContains } from '../../packet/address.ts'
import { type CaptureBounds, filterFor, payloadBounds } from '../bounds.ts'
import {
  type Capture,
  type CaptureCounters,
  type CapturedPacket,
  type CaptureFailure,
  captureError,
} from '../capture.ts'
import { LOOPBACK_INDEX } from '../disbelief.ts'
import { BATCH_SIZE } from '../message-batch.ts'
import { parseFrame } from '../packet-socket/frame.ts'
import { CARRIERS_OF } from '../packet-socket/ip-header.ts'
import { ipPacketIn, isLinkTypeKnown } from './link-layer.ts'
import { type FrameReader, openPcap, type ReadAt } from './pcap-reader.ts'

export interface PcapFileCaptureOptions extends CaptureBounds {
  /** Of the file. It stays open. */
  readonly fd: number
}

/** Frames and other blocks that are read for one batch at most, of use or not. */
const MOST_FRAMES = 1024
/** The loopback interface is the only one that may have loopback addresses. */
const ARRIVAL = { interfaceIndex: LOOPBACK_INDEX, isChecksumUnchecked: false }

/** @throws Error with CAPTURE_FAILED in `cause` for a file that is no capture file. */
export function pcapFileCapture(options: PcapFileCaptureOptions): Capture {
  const { fd } = options
  const opened = openPcap((at, length) => readAt(fd, at, length))
  if (!opened.ok) throw captureError(opened.failure)
  const filter = filterFor(options)
  const bounds = payloadBounds(options)
  let fds: readonly number[] = [fd]
  let ended: 'whole' | CaptureFailure | undefined
  let taken = 0
  let received = 0
  return {
    get fds() {
      return fds
    },
    get ended() {
      return ended
    },
    get taken() {
      return taken
    },
    counters: (): CaptureCounters => ({ received, dropped: 0 }),
    close() {},
    receive() {
      const packets: CapturedPacket[] = []
      for (let frames = 0; frames < MOST_FRAMES && packets.length < BATCH_SIZE && ended === undefined; frames++) {
        const next = nextPacket(opened.value)
        if (next === 'end' || isFailure(next)) {
          ended = next === 'end' ? 'whole' : next
          fds = []
          break
        }
        taken++
        if (next === 'none') continue
        const { length } = next.payload
        if (length < bounds.minimum || length > bounds.maximum) continue
        if (passes(filter, asFiltered(next))) packets.push(next)
      }
      received += packets.length
      return packets
    },
  }
}

function nextPacket(reader: FrameReader): CapturedPacket | 'none' | 'end' | CaptureFailure {
  const frame = reader.next()
  if (!frame.ok) return frame.failure
  if (frame.value === 'end' || frame.value === 'none') return frame.value
  const { linkType } = frame.value
  if (!isLinkTypeKnown(linkType))
    return { code: 'CAPTURE_FAILED', detail: `the file has frames of link type ${linkType}, which cannot be read` }
  const bytes = ipPacketIn(linkType, frame.value.frame)
  const packet = bytes && parseFrame(bytes, ARRIVAL, CARRIERS_OF)
  if (packet === undefined) return 'none'
  const { interfaceIndex: _, ...rest } = packet
  return { ...rest, via: 'pcap-file' }
}

function isFailure(next: ReturnType<typeof nextPacket>): next is CaptureFailure {
  return typeof next === 'object' && 'code' in next
}

function asFiltered({ source, destination, sourcePort, destinationPort, carrier }: CapturedPacket): FilteredPacket {
  return {
    ...{ carrier: carrier ?? 'udp', family: familyOf(source), sourcePort, destinationPort },
    isWithin: (side, network) => {
      const address = side === 'source' ? source : destination
      return address !== undefined && networkContains(network, address)
    },
  }
}

function readAt(fd: number, at: number, length: number): ReturnType<ReadAt> {
  const bytes = new Uint8Array(length)
  let read = 0
  while (read < length) {
    const more = readSync(fd, bytes, read, length - read, at + read)
    if (more === 0) break
    read += more
  }
  return bytes.subarray(0, read)
}
