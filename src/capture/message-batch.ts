/**
 * The memory that recvmmsg(2) writes into: an array of `struct mmsghdr`. Each has one `struct iovec`, room for the name
 * of the sender, and room for one control message. The layout is that of 64-bit little-endian Linux. It is made once
 * and used for every call.
 */
import { constants } from 'node:os'
import { describeErrno } from '../system/errno.ts'
import { libc, MSG_DONTWAIT } from '../system/libc.ts'
import { captureError } from './capture.ts'

// struct mmsghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, len 56
const MMSGHDR_LENGTH = 64
const NAME_LENGTH_AT = 8
const CONTROL_AT = 32
const CONTROL_LENGTH_AT = 40
const FLAGS_AT = 48
const RECEIVED_AT = 56
const IOVEC_LENGTH = 16
/** Room for a `struct sockaddr_ll` (20 bytes) or a `struct sockaddr_in6` (28). */
const NAME_LENGTH = 32
/** Room for a `struct cmsghdr` (16 bytes) and a `struct tpacket_auxdata` (20). */
const CONTROL_LENGTH = 40
const MSG_TRUNC = 0x20

/** Messages in one batch at most, so that other work gets its turn. */
export const BATCH_SIZE = 64
const { EBADF, EFAULT, EINVAL, ENOTSOCK } = constants.errno
/** Faults in our own call: a bad descriptor, bad memory, a bad argument, not a socket. */
const FATAL = new Set([EBADF, EFAULT, EINVAL, ENOTSOCK])

export class MessageBatch {
  readonly #native = libc()
  readonly #headers: Uint8Array
  readonly #view: DataView
  /** Kept because the headers point to it. */
  readonly #vectors: Uint8Array
  /** All messages. Behind the end of one there may be anything. */
  readonly payloads: Uint8Array
  readonly #longest: number
  #filled = BATCH_SIZE
  /** What the kernel wrote: the sender of the `i`-th message is at `i` times {@link NAME_STRIDE}. */
  readonly names: DataView
  /** The control message of the `i`-th message is at `i` times {@link CONTROL_STRIDE}. */
  readonly controls: DataView

  /** @param longest room for one message, in bytes. Longer ones come truncated. */
  constructor(longest: number) {
    this.#longest = longest
    this.#headers = offHeap(BATCH_SIZE * MMSGHDR_LENGTH)
    this.#vectors = offHeap(BATCH_SIZE * IOVEC_LENGTH)
    this.payloads = offHeap(BATCH_SIZE * longest)
    const names = offHeap(BATCH_SIZE * NAME_LENGTH)
    const controls = offHeap(BATCH_SIZE * CONTROL_LENGTH)
    this.#view = new DataView(this.#headers.buffer)
    this.names = new DataView(names.buffer)
    this.controls = new DataView(controls.buffer)
    const vectors = new DataView(this.#vectors.buffer)
    const [namesAt = 0n, controlsAt = 0n, vectorsAt = 0n, payloadsAt = 0n] = [
      ...[names, controls, this.#vectors, this.payloads],
    ].map((bytes) => this.#native.address(bytes))
    for (let i = 0; i < BATCH_SIZE; i++) {
      vectors.setBigUint64(i * IOVEC_LENGTH, payloadsAt + BigInt(i * longest), true)
      vectors.setBigUint64(i * IOVEC_LENGTH + 8, BigInt(longest), true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH, namesAt + BigInt(i * NAME_LENGTH), true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH + 16, vectorsAt + BigInt(i * IOVEC_LENGTH), true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH + 24, 1n, true)
      this.#view.setBigUint64(i * MMSGHDR_LENGTH + CONTROL_AT, controlsAt + BigInt(i * CONTROL_LENGTH), true)
    }
  }

  /**
   * Fills the batch with what waits at a socket. Network errors, such as an interface that goes down, do not end it:
   * this call reads and clears them.
   *
   * @returns how many messages came, 0 if none waits
   * @throws Error with CAPTURE_FAILED in `cause` if the descriptor can never give any
   */
  receive(fd: number): number {
    // The kernel overwrote the lengths of the names and of the control messages of those that it filled.
    for (let i = 0; i < this.#filled; i++) {
      this.#view.setUint32(i * MMSGHDR_LENGTH + NAME_LENGTH_AT, NAME_LENGTH, true)
      this.#view.setUint32(i * MMSGHDR_LENGTH + CONTROL_LENGTH_AT, CONTROL_LENGTH, true)
    }
    const count = this.#native.recvmmsg(fd, this.#headers, BATCH_SIZE, MSG_DONTWAIT, null)
    this.#filled = Math.max(0, count)
    if (count >= 0) return count
    const errno = this.#native.errno()
    if (!FATAL.has(errno)) return 0
    throw captureError({ code: 'CAPTURE_FAILED', detail: `recvmmsg: ${describeErrno(errno)}` })
  }

  isTruncated(i: number): boolean {
    return (this.#view.getUint32(i * MMSGHDR_LENGTH + FLAGS_AT, true) & MSG_TRUNC) !== 0
  }

  /** Whether the message has a control message. */
  hasControl(i: number): boolean {
    return this.#view.getUint32(i * MMSGHDR_LENGTH + CONTROL_LENGTH_AT, true) !== 0
  }

  /** A view that the next call overwrites. */
  payload(i: number): Uint8Array {
    const start = i * this.#longest
    return this.payloads.subarray(start, start + this.#view.getUint32(i * MMSGHDR_LENGTH + RECEIVED_AT, true))
  }

  /** Where the `i`-th message begins in {@link payloads}. */
  payloadAt(i: number): number {
    return i * this.#longest
  }
}

export const NAME_STRIDE = NAME_LENGTH
export const CONTROL_STRIDE = CONTROL_LENGTH

/** Small typed arrays may be on the JavaScript heap, where the collector moves them. An ArrayBuffer does not move. */
function offHeap(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length))
}
