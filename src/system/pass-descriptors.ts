/**
 * Descriptors that go to another process over a Unix stream socket (unix(7), SCM_RIGHTS), and who is at its other end:
 * as the kernel says, not as the other end says.
 */
import { constants } from 'node:os'
import { describeErrno } from './errno.ts'
import { AF_UNIX, libc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from './libc.ts'
import { socketAddress } from './unix-datagram.ts'

const SO_PASSCRED = 16
const SO_PEERCRED = 17
const SCM_RIGHTS = 1
const SCM_CREDENTIALS = 2
const MSG_PEEK = 2
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x4000_0000
/** struct msghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48 */
const MSGHDR_LENGTH = 56
const CONTROL_LENGTH_AT = 40
/** struct iovec: base 0, len 8 */
const IOVEC_LENGTH = 16
/** struct cmsghdr: len 0, level 8, type 12; then the data, padded to eight bytes. */
const CMSGHDR_LENGTH = 16
/** struct ucred: pid 0, uid 4, gid 8 */
const UCRED_LENGTH = 12
/** The kernel takes no more at once (SCM_MAX_FD). */
const MOST_DESCRIPTORS = 253
const { EAGAIN, EINTR } = constants.errno

/** A process at the other end of a socket. */
export interface Peer {
  readonly pid: number
  readonly uid: number
}

/** What has come, with the descriptors that came with it. */
export interface Arrived {
  readonly bytes: Buffer
  readonly descriptors: readonly number[]
  /** Who sent it. Only where the socket asks for that: {@link connectUnix}. */
  readonly sender?: Peer
}

/**
 * Connects to a socket with a path. What comes back names its sender.
 * @returns the descriptor, closed on exec.
 * @throws Error with a sentence.
 */
export function connectUnix(path: string): number {
  const native = libc()
  const address = socketAddress(path)
  if (address === undefined) throw new Error(`${path}: not the path of a socket`)
  const fd = native.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw new Error(describeErrno(native.errno()))
  const yes = new Uint8Array(new Int32Array([1]).buffer)
  if (native.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, yes, 4) === 0 && native.connect(fd, address, address.length) === 0)
    return fd
  const errno = native.errno()
  native.close(fd)
  throw new Error(`${path}: ${describeErrno(errno)}`)
}

/** Who connected, by the listening end. @throws Error with a sentence. */
export function peerOf(fd: number): Peer {
  const native = libc()
  const credentials = new Uint8Array(new ArrayBuffer(UCRED_LENGTH))
  const length = new Uint8Array(new Int32Array([UCRED_LENGTH]).buffer)
  if (native.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0)
    throw new Error(`descriptor ${fd}: ${describeErrno(native.errno())}`)
  return readPeer(new DataView(credentials.buffer), 0)
}

/** Sends bytes, at least one, with descriptors. @throws Error with a sentence, also if only a part was taken. */
export function sendDescriptors(fd: number, bytes: Buffer, descriptors: readonly number[]): void {
  if (descriptors.length > MOST_DESCRIPTORS) throw new Error(`more than ${MOST_DESCRIPTORS} descriptors`)
  const native = libc()
  const length = CMSGHDR_LENGTH + 4 * descriptors.length
  const message = new Message(bytes.length, length)
  message.bytes.set(bytes)
  const { control } = message
  control.setBigUint64(0, BigInt(length), true)
  control.setInt32(8, SOL_SOCKET, true)
  control.setInt32(12, SCM_RIGHTS, true)
  for (const [i, descriptor] of descriptors.entries()) control.setInt32(CMSGHDR_LENGTH + 4 * i, descriptor, true)
  if (descriptors.length === 0) message.controlLength = 0
  const sent = native.sendmsg(fd, message.header, MSG_NOSIGNAL)
  if (sent < 0) throw new Error(describeErrno(native.errno()))
  if (sent < bytes.length) throw new Error('the socket took only a part')
}

/**
 * What waits to be read, without waiting. The descriptors are closed on exec.
 * @param most bytes.
 * @param how `peek` leaves the bytes, and takes no descriptor.
 * @returns `empty` if nothing has come; undefined if the other end is gone.
 * @throws Error with a sentence.
 */
export function receiveDescriptors(fd: number, most: number, how: 'take' | 'peek'): Arrived | 'empty' | undefined {
  const native = libc()
  // A peek needs room for the sender only.
  const room = 2 * CMSGHDR_LENGTH + (how === 'peek' ? 0 : CMSGHDR_LENGTH + 4 * MOST_DESCRIPTORS)
  const message = new Message(most, align(room))
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (how === 'peek' ? MSG_PEEK : 0)
  const length = native.recvmsg(fd, message.header, flags)
  if (length < 0) {
    const errno = native.errno()
    if (errno === EAGAIN || errno === EINTR) return 'empty'
    throw new Error(describeErrno(errno))
  }
  if (length === 0) return undefined
  const descriptors: number[] = []
  let sender: Peer | undefined
  const { control, controlLength } = message
  for (let at = 0; at + CMSGHDR_LENGTH <= controlLength; ) {
    const size = Number(control.getBigUint64(at, true))
    if (size < CMSGHDR_LENGTH || at + size > controlLength) break
    const isSocket = control.getInt32(at + 8, true) === SOL_SOCKET
    const type = control.getInt32(at + 12, true)
    const data = at + CMSGHDR_LENGTH
    if (isSocket && type === SCM_RIGHTS)
      for (let one = data; one + 4 <= at + size; one += 4) descriptors.push(control.getInt32(one, true))
    if (isSocket && type === SCM_CREDENTIALS && size >= CMSGHDR_LENGTH + UCRED_LENGTH) sender = readPeer(control, data)
    at += align(size)
  }
  // A peek at descriptors makes copies of them.
  if (how === 'peek') for (const copy of descriptors.splice(0)) native.close(copy)
  return { bytes: Buffer.from(message.bytes.subarray(0, length)), descriptors, ...(sender && { sender }) }
}

function readPeer(view: DataView, at: number): Peer {
  return { pid: view.getInt32(at, true), uid: view.getUint32(at + 4, true) }
}

function align(length: number): number {
  return (length + 7) & ~7
}

/** The memory of one `struct msghdr`, with one `struct iovec`. */
class Message {
  readonly bytes: Uint8Array
  readonly control: DataView
  readonly header: Uint8Array
  readonly #view: DataView
  /** The kernel reads it by its address. */
  readonly #vector: Uint8Array

  constructor(length: number, control: number) {
    const native = libc()
    const memory = (size: number): Uint8Array => new Uint8Array(new ArrayBuffer(size))
    this.bytes = memory(length)
    const controlBytes = memory(align(control))
    this.control = new DataView(controlBytes.buffer)
    this.#vector = memory(IOVEC_LENGTH)
    const vector = new DataView(this.#vector.buffer)
    vector.setBigUint64(0, native.address(this.bytes), true)
    vector.setBigUint64(8, BigInt(length), true)
    this.header = memory(MSGHDR_LENGTH)
    this.#view = new DataView(this.header.buffer)
    this.#view.setBigUint64(16, native.address(this.#vector), true)
    this.#view.setBigUint64(24, 1n, true)
    this.#view.setBigUint64(32, native.address(controlBytes), true)
    this.controlLength = control
  }

  get controlLength(): number {
    return Number(this.#view.getBigUint64(CONTROL_LENGTH_AT, true))
  }

  set controlLength(length: number) {
    this.#view.setBigUint64(CONTROL_LENGTH_AT, BigInt(length), true)
  }
}
