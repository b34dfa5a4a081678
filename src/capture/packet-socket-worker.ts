/**
 * The capturing thread: waits in poll(2), takes what is there with recvmmsg(2), and hands it to the main thread by
 * transfer. It never returns to an event loop, so a packet is not held up by JavaScript that runs elsewhere, and an idle
 * machine wakes nobody. Errors of the network (an interface that goes down) are ridden out; errors of our own end it.
 */
import { parentPort } from 'node:worker_threads'
import { describeErrno, type Libc, libc } from './libc.ts'
import { MessageBatch } from './message-batch.ts'
import {
  type ArrivedFrame,
  BATCH_SIZE,
  BATCHES_UNDER_WAY,
  MOST_BATCHES_UNDER_WAY,
  packFrames,
  type WorkerReport,
  type WorkerSetup,
} from './packet-socket-wire.ts'

const POLLIN = 1
const POLLFD_LENGTH = 8
const MSG_DONTWAIT = 0x40
const SOL_PACKET = 263
const PACKET_STATISTICS = 6
const SIOCGIFNAME = 0x8910
const IFREQ_LENGTH = 40

const EINTR = 4
/** Ours, not the network's: a bad descriptor, bad memory, a bad argument, no socket. */
const FATAL = new Set([9, 14, 22, 88])
/** Wake-ups in a row that brought nothing before we slow down, so that no error can keep a processor busy. */
const FRUITLESS_BEFORE_PAUSE = 16
const PAUSE = 100 // milliseconds

function run(setup: WorkerSetup, report: (report: WorkerReport) => void): void {
  const native = libc()
  const underWay = new Int32Array(setup.shared)
  const batch = new MessageBatch(BATCH_SIZE, setup.longestFrame, (bytes) => native.address(bytes))
  const polled = pollSet([setup.stopFd, ...setup.sockets])
  let fruitless = 0

  report({ kind: 'ready' })
  for (;;) {
    waitForMainThread(underWay)
    if (native.poll(polled.bytes, 1 + setup.sockets.length, -1) < 0) {
      const errno = native.errno()
      if (errno === EINTR) continue
      throw new Error(`poll: ${describeErrno(errno)}`)
    }
    if (polled.events(0) !== 0) return

    let found = 0
    for (const [i, fd] of setup.sockets.entries()) {
      if (polled.events(1 + i) === 0) continue
      batch.prepare()
      // An error that poll reports is taken, and cleared, by this very call.
      const count = native.recvmmsg(fd, batch.messages, BATCH_SIZE, MSG_DONTWAIT, null)
      if (count < 0) {
        const errno = native.errno()
        if (FATAL.has(errno)) throw new Error(`recvmmsg: ${describeErrno(errno)}`)
        continue
      }
      found += count
      const frames = framesOf(batch, count, setup.interfaces, (index) => interfaceName(native, fd, index))
      const dropped = takeDropCount(native, fd)
      if (frames.length === 0 && dropped === 0) continue
      Atomics.add(underWay, BATCHES_UNDER_WAY, 1)
      report({ kind: 'batch', frames: packFrames(frames), dropped })
    }

    fruitless = found > 0 ? 0 : fruitless + 1
    if (fruitless >= FRUITLESS_BEFORE_PAUSE) native.poll(polled.bytes, 1, PAUSE) // the stop descriptor alone
  }
}

/** Sleeps while too much is under way; the main thread wakes us with each batch that it has handed on. */
function waitForMainThread(underWay: Int32Array): void {
  for (;;) {
    const batches = Atomics.load(underWay, BATCHES_UNDER_WAY)
    if (batches < MOST_BATCHES_UNDER_WAY) return
    Atomics.wait(underWay, BATCHES_UNDER_WAY, batches)
  }
}

/** The frames that came whole, through a wanted interface. */
function framesOf(
  batch: MessageBatch,
  count: number,
  interfaces: readonly string[],
  nameOf: (index: number) => string | undefined,
): ArrivedFrame[] {
  const frames: ArrivedFrame[] = []
  // Asked anew for each batch: an interface may vanish, return under another index, or be renamed.
  const wanted = new Map<number, boolean>()
  for (let i = 0; i < count; i++) {
    if (batch.isTruncated(i)) continue
    const index = batch.interfaceIndex(i)
    if (interfaces.length > 0) {
      let isWanted = wanted.get(index)
      if (isWanted === undefined) {
        const name = nameOf(index)
        isWanted = name !== undefined && interfaces.includes(name)
        wanted.set(index, isWanted)
      }
      if (!isWanted) continue
    }
    frames.push({ bytes: batch.frame(i), interfaceIndex: index, isChecksumUnchecked: batch.isChecksumUnchecked(i) })
  }
  return frames
}

/** By the socket, so that the name is that of the socket's own network namespace. */
function interfaceName(native: Libc, fd: number, index: number): string | undefined {
  const request = new Uint8Array(IFREQ_LENGTH)
  new DataView(request.buffer).setInt32(16, index, true)
  if (native.ioctl(fd, SIOCGIFNAME, request) < 0) return undefined // gone since
  return String.fromCharCode(...request.subarray(0, request.subarray(0, 16).indexOf(0)))
}

/** The kernel starts anew from 0 each time it is asked. */
function takeDropCount(native: Libc, fd: number): number {
  const statistics = new Uint8Array(8) // packets, drops
  const length = Uint8Array.of(8, 0, 0, 0)
  if (native.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, length) < 0) return 0
  return new DataView(statistics.buffer).getUint32(4, true)
}

function pollSet(fds: readonly number[]): { readonly bytes: Uint8Array; events(i: number): number } {
  const bytes = new Uint8Array(POLLFD_LENGTH * fds.length)
  const view = new DataView(bytes.buffer)
  for (const [i, fd] of fds.entries()) {
    view.setInt32(POLLFD_LENGTH * i, fd, true)
    view.setInt16(POLLFD_LENGTH * i + 4, POLLIN, true)
  }
  return { bytes, events: (i) => view.getInt16(POLLFD_LENGTH * i + 6, true) }
}

const port = parentPort
if (port === null) throw new Error('packet-socket-worker.ts is the body of a worker')
const report = (message: WorkerReport): void =>
  port.postMessage(message, message.kind === 'batch' ? [message.frames] : [])
port.once('message', (setup: WorkerSetup) => run(setup, report))
libc() // loaded while it can be read
report({ kind: 'started' })
