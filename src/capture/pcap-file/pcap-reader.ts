/**
 * The frames of a capture file: pcap (both byte orders, microseconds and nanoseconds) and pcapng. The file is
 * untrusted. Every length is checked before it is used; a failure says at which byte.
 *
 * Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 */
import { type Failure, ok, type Result, refuse } from '../../result.ts'

/** Reads up to `length` bytes from a place in the file; fewer at its end. */
export type ReadAt = (at: number, length: number) => Uint8Array

/** One frame, as much of it as was captured. */
export interface CapturedFrame {
  readonly linkType: number
  readonly frame: Uint8Array
}

type PcapFailure = Failure<'CAPTURE_FAILED'>

/** libpcap's own limit of one frame. */
const LONGEST_FRAME = 262_144
const MOST_INTERFACES = 1024
const PCAP_HEADER = 24
const RECORD_HEADER = 16
/** Magic numbers, as they are in a file of the other byte order or of this one: µs, ns, and “modified” (kernel 2.2). */
const MAGIC: ReadonlyMap<number, { readonly little: boolean; readonly recordHeader: number }> = new Map([
  [0xa1b2c3d4, { little: false, recordHeader: RECORD_HEADER }],
  [0xd4c3b2a1, { little: true, recordHeader: RECORD_HEADER }],
  [0xa1b23c4d, { little: false, recordHeader: RECORD_HEADER }],
  [0x4d3cb2a1, { little: true, recordHeader: RECORD_HEADER }],
  [0xa1b2cd34, { little: false, recordHeader: RECORD_HEADER + 8 }],
  [0x34cdb2a1, { little: true, recordHeader: RECORD_HEADER + 8 }],
])

// pcapng blocks.
const SECTION = 0x0a0d0d0a
const BYTE_ORDER = 0x1a2b3c4d
const INTERFACE = 1
const OLD_PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6
/** Type, length, and the length again at the end. */
const BLOCK_OVERHEAD = 12

/** Reads one frame at a time, in the order of the file. */
export interface FrameReader {
  /**
   * One step: a file may have any number of blocks without a frame, and the caller has other things to do.
   * @returns the next frame; `none` for a block of another kind; `end` at the end of the file; CAPTURE_FAILED where
   *   the file is damaged or cut off.
   */
  next(): Result<CapturedFrame | 'none' | 'end', PcapFailure>
}

/** @returns CAPTURE_FAILED for a file that is neither pcap nor pcapng. */
export function openPcap(read: ReadAt): Result<FrameReader, PcapFailure> {
  const head = read(0, PCAP_HEADER)
  if (head.length < 4) return damaged(0, 'the file is too short for a capture file')
  const magic = view(head).getUint32(0)
  if (magic === SECTION) return ok(new PcapngReader(read))
  const format = MAGIC.get(magic)
  if (format === undefined) return damaged(0, 'the file is neither pcap nor pcapng')
  if (head.length < PCAP_HEADER) return damaged(head.length, 'the file ends within its header')
  // The upper bits say how long a frame check sequence is.
  const linkType = view(head).getUint32(20, format.little) & 0xffff
  return ok(new PcapReader(read, linkType, format))
}

class PcapReader implements FrameReader {
  readonly #read: ReadAt
  readonly #linkType: number
  readonly #format: { readonly little: boolean; readonly recordHeader: number }
  #at = PCAP_HEADER

  constructor(read: ReadAt, linkType: number, format: { readonly little: boolean; readonly recordHeader: number }) {
    this.#read = read
    this.#linkType = linkType
    this.#format = format
  }

  next(): Result<CapturedFrame | 'end', PcapFailure> {
    const { little, recordHeader } = this.#format
    const header = this.#read(this.#at, recordHeader)
    if (header.length === 0) return ok('end')
    if (header.length < recordHeader) return damaged(this.#at, 'the file ends within the header of a packet')
    const length = view(header).getUint32(8, little)
    if (length > LONGEST_FRAME) return damaged(this.#at, `a packet of ${length} bytes, more than any can have`)
    const frame = this.#read(this.#at + recordHeader, length)
    if (frame.length < length) return damaged(this.#at, `the file ends within a packet of ${length} bytes`)
    this.#at += recordHeader + length
    return ok({ linkType: this.#linkType, frame })
  }
}

interface Interface {
  readonly linkType: number
  /** 0 means no limit. */
  readonly snapLength: number
}

class PcapngReader implements FrameReader {
  readonly #read: ReadAt
  #little = true
  #interfaces: Interface[] = []
  #at = 0

  constructor(read: ReadAt) {
    this.#read = read
  }

  next(): Result<CapturedFrame | 'none' | 'end', PcapFailure> {
    const block = this.#block()
    if (!block.ok) return block
    if (block.value === undefined) return ok('end')
    const frame = this.#frameIn(block.value)
    if (frame.ok) this.#at += block.value.length
    return frame
  }

  /** The block that begins here. A section header says the byte order of what follows, itself included. */
  #block(): Result<Block | undefined, PcapFailure> {
    const head = this.#read(this.#at, 12)
    if (head.length === 0) return ok(undefined)
    if (head.length < 12) return damaged(this.#at, 'the file ends within the header of a block')
    if (view(head).getUint32(0) === SECTION) {
      const order = view(head).getUint32(8)
      if (order !== BYTE_ORDER && order !== 0x4d3c2b1a) return damaged(this.#at, 'a section without a byte order')
      this.#little = order !== BYTE_ORDER
      this.#interfaces = []
    }
    const type = view(head).getUint32(0, this.#little)
    const length = view(head).getUint32(4, this.#little)
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) return damaged(this.#at, `a block of ${length} bytes`)
    return ok({ type, length })
  }

  #frameIn({ type, length }: Block): Result<CapturedFrame | 'none', PcapFailure> {
    switch (type) {
      case INTERFACE:
        return this.#addInterface(length)
      case ENHANCED_PACKET:
        return this.#packet(length, 20, (body) => [body.getUint32(0, this.#little), body.getUint32(12, this.#little)])
      case OLD_PACKET:
        return this.#packet(length, 20, (body) => [body.getUint16(0, this.#little), body.getUint32(12, this.#little)])
      case SIMPLE_PACKET:
        return this.#packet(length, 4, (body) => {
          const { snapLength = 0 } = this.#interfaces[0] ?? {}
          const original = body.getUint32(0, this.#little)
          return [0, snapLength === 0 ? original : Math.min(original, snapLength)]
        })
      default:
        // Statistics, names, comments. Not read, but it must be there.
        return this.#read(this.#at + length - 4, 4).length === 4
          ? ok('none')
          : damaged(this.#at, `the file ends within a block of ${length} bytes`)
    }
  }

  #addInterface(length: number): Result<'none', PcapFailure> {
    const body = this.#read(this.#at + 8, 8)
    if (body.length < 8 || length < BLOCK_OVERHEAD + 8)
      return damaged(this.#at, 'the description of an interface is too short')
    if (this.#interfaces.length === MOST_INTERFACES)
      return damaged(this.#at, `more than ${MOST_INTERFACES} interfaces in one section`)
    this.#interfaces.push({
      linkType: view(body).getUint16(0, this.#little),
      snapLength: view(body).getUint32(4, this.#little),
    })
    return ok('none')
  }

  /** @param fixed bytes before the frame. @param fields the number of its interface, and the length of the frame. */
  #packet(
    length: number,
    fixed: number,
    fields: (body: DataView) => readonly [number, number],
  ): Result<CapturedFrame, PcapFailure> {
    const room = length - BLOCK_OVERHEAD - fixed
    const body = this.#read(this.#at + 8, fixed)
    if (room < 0) return damaged(this.#at, 'a packet block is too short')
    if (body.length < fixed) return damaged(this.#at, `the file ends within a block of ${length} bytes`)
    const [number, captured] = fields(view(body))
    if (captured > room) return damaged(this.#at, `a packet of ${captured} bytes in a block of ${length} bytes`)
    if (captured > LONGEST_FRAME) return damaged(this.#at, `a packet of ${captured} bytes, more than any can have`)
    const { linkType } = this.#interfaces[number] ?? {}
    if (linkType === undefined) return damaged(this.#at, `a packet of interface ${number}, which is not described`)
    const frame = this.#read(this.#at + 8 + fixed, captured)
    return frame.length === captured
      ? ok({ linkType, frame })
      : damaged(this.#at, `the file ends within a block of ${length} bytes`)
  }
}

interface Block {
  readonly type: number
  /** With header and trailer. */
  readonly length: number
}

function damaged(at: number, what: string) {
  return refuse('CAPTURE_FAILED', `${what} (at byte ${at})`)
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
