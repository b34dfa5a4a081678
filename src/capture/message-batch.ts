/**
 * The memory that recvmmsg(2) writes into: an array of `struct mmsghdr`, each with one `struct iovec`, one
 * `struct sockaddr_ll` and room for one control message (PACKET_AUXDATA), laid out by hand for 64-bit little-endian Linux,
 * made once and used for every call.
 */

// struct mmsghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, len 56
const MMSGHDR_LENGTH = 64
const NAME_LENGTH_AT = 8
const CONTROL_AT = 32
const CONTROL_LENGTH_AT = 40
const FLAGS_AT = 48
const RECEIVED_AT = 56
const IOVEC_LENGTH = 16
// struct sockaddr_ll: family 0, protocol 2, ifindex 4, hatype 8, pkttype 10, halen 11, addr 12
const SOCKADDR_LL_LENGTH = 20
const NAME_STRIDE = 24
// struct cmsghdr: len 0, level 8, type 12; then struct tpacket_auxdata: status 16, and what is not read here
const CONTROL_STRIDE = 40
const CONTROL_LEVEL_AND_TYPE_AT = 8
const CONTROL_STATUS_AT = 16
const MSG_TRUNC = 0x20
/** SOL_PACKET, and PACKET_AUXDATA above it. */
const AUXDATA = 263n | (8n << 32n)
const TP_STATUS_CSUMNOTREADY = 1 << 3
const TP_STATUS_CSUM_VALID = 1 << 7

export class MessageBatch {
  /** The argument of recvmmsg. */
  readonly messages: Uint8Array
  readonly #view: DataView
  readonly #names: DataView
  readonly #controls: DataView
  readonly #frames: Uint8Array
  /** Kept because the messages point to it. */
  readonly #vectors: Uint8Array
  readonly #size: number
  readonly #longestFrame: number

  /** @param addressOf where bytes are in memory; they must stay there. */
  constructor(size: number, longestFrame: number, addressOf: (bytes: Uint8Array) => bigint) {
    this.#size = size
    this.#longestFrame = longestFrame
    this.messages = offHeap(size * MMSGHDR_LENGTH)
    this.#vectors = offHeap(size * IOVEC_LENGTH)
    this.#frames = offHeap(size * longestFrame)
    const names = offHeap(size * NAME_STRIDE)
    const controls = offHeap(size * CONTROL_STRIDE)
    this.#view = new DataView(this.messages.buffer)
    this.#names = new DataView(names.buffer)
    this.#controls = new DataView(controls.buffer)
    const vectors = new DataView(this.#vectors.buffer)
    const at = {
      ...{ names: addressOf(names), controls: addressOf(controls) },
      ...{ vectors: addressOf(this.#vectors), frames: addressOf(this.#frames) },
    }
    for (let i = 0; i < size; i++) {
      vectors.setBigUint64(i * IOVEC_LENGTH, at.frames + BigInt(i * longestFrame), true)
      vectors.setBigUint64(i * IOVEC_LENGTH + 8, BigInt(longestFrame), true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH, at.names + BigInt(i * NAME_STRIDE), true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH + 16, at.vectors + BigInt(i * IOVEC_LENGTH), true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH + 24, 1n, true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH + CONTROL_AT, at.controls + BigInt(i * CONTROL_STRIDE), true)
    }
  }

  /** Before each call: the kernel overwrote the lengths of the names and of the control messages. */
  prepare(): void {
    for (let i = 0; i < this.#size; i++) {
      this.#view.setUint32(i * MMSGHDR_LENGTH + NAME_LENGTH_AT, SOCKADDR_LL_LENGTH, true)
      this.#view.setUint32(i * MMSGHDR_LENGTH + CONTROL_LENGTH_AT, CONTROL_STRIDE, true)
    }
  }

  isTruncated(i: number): boolean {
    return (this.#view.getUint32(i * MMSGHDR_LENGTH + FLAGS_AT, true) & MSG_TRUNC) !== 0
  }

  interfaceIndex(i: number): number {
    return this.#names.getInt32(i * NAME_STRIDE + 4, true)
  }

  /**
   * Whether nobody has checked the UDP checksum: neither a network card, nor is it still to be filled in by one (virtual
   * links leave it out). Also true where the kernel says nothing about it.
   */
  isChecksumUnchecked(i: number): boolean {
    const control = i * CONTROL_STRIDE
    if (this.#view.getUint32(i * MMSGHDR_LENGTH + CONTROL_LENGTH_AT, true) === 0) return true
    if (this.#controls.getBigUint64(control + CONTROL_LEVEL_AND_TYPE_AT, true) !== AUXDATA) return true
    const status = this.#controls.getUint32(control + CONTROL_STATUS_AT, true)
    return (status & (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) === 0
  }

  /** A view that the next call overwrites. */
  frame(i: number): Uint8Array {
    const start = i * this.#longestFrame
    return this.#frames.subarray(start, start + this.#view.getUint32(i * MMSGHDR_LENGTH + RECEIVED_AT, true))
  }
}

/** Small typed arrays may live on the JavaScript heap, where the collector moves them; an ArrayBuffer does not move. */
function offHeap(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length))
}
