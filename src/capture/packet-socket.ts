/**
 * Passive capture from packet sockets that somebody with privilege has opened (`open-packet-sockets.ts`). Needs none
 * itself. A thread waits for the packets (`packet-socket-worker.ts`); they are parsed here.
 */
import { closeSync, writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Failure } from '../result.ts'
import { type CaptureBounds, payloadBounds } from './bounds.ts'
import type { Capture, CaptureCounters, CapturedPacket } from './capture.ts'
import { captureError } from './capture-error.ts'
import { parseFrame } from './frame.ts'
import { describeErrno, libc } from './libc.ts'
import { BATCHES_UNDER_WAY, unpackFrames, type WorkerReport, type WorkerSetup } from './packet-socket-wire.ts'

export interface PacketSocketCaptureOptions extends CaptureBounds {
  /** As opened by `openPacketSockets`, or as inherited. They stay open. */
  readonly fds: readonly number[]
  /** Names of the interfaces to listen to; none means all. One that does not exist yet may come. */
  readonly interfaces: readonly string[]
  /** Started beforehand; used up. Without it, the capture starts one. */
  readonly thread?: CaptureThread
}

/** A capturing thread whose code is loaded, and that waits to be told what to capture. */
export interface CaptureThread {
  readonly worker: Worker
}

/**
 * Starts the thread of a capture that is to come: for a process that can read the program now, and not later.
 * Rejects with CAPTURE_FAILED in `cause` where the thread cannot run.
 */
export async function startCaptureThread(): Promise<CaptureThread> {
  // Node's own options are for the main program (--input-type would not even let a worker start).
  const worker = new Worker(workerFile(), { resourceLimits: WORKER_LIMITS, execArgv: [], name: 'gp: capture' })
  await new Promise<void>((started, failedToStart) => {
    worker.once('message', () => started())
    worker.once('error', (error) => failedToStart(captureError(failed(`the capturing thread: ${error.message}`))))
    worker.once('exit', () => failedToStart(captureError(failed('the capturing thread ended at once'))))
  })
  worker.removeAllListeners('error')
  worker.removeAllListeners('exit')
  return { worker }
}

/** IPv6 header, {@link EXTENSION_HEADERS} of common length and UDP header; rounded up. */
const LONGEST_HEADERS = 128
const EFD_FLAGS = 0o2000000 // close-on-exec
/** The worker's loop makes little garbage; without a limit V8 would keep room for far more. In MB. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, codeRangeSizeMb: 0, stackSizeMb: 1 }

export function createPacketSocketCapture(options: PacketSocketCaptureOptions): Capture {
  const counters = { received: 0, dropped: 0 }
  return {
    counters: (): CaptureCounters => ({ ...counters }),
    run: (deliver, signal, ready) => capture(options, counters, deliver, signal, ready),
  }
}

async function capture(
  options: PacketSocketCaptureOptions,
  counters: { received: number; dropped: number },
  deliver: (packets: readonly CapturedPacket[]) => void,
  signal: AbortSignal,
  ready: () => void,
): Promise<void> {
  if (signal.aborted) return
  const underWay = new Int32Array(new SharedArrayBuffer(4))
  const stopFd = openEventFd()
  const setup: WorkerSetup = {
    sockets: options.fds,
    stopFd,
    interfaces: options.interfaces,
    longestFrame: payloadBounds(options).maximum + LONGEST_HEADERS,
    shared: underWay.buffer as SharedArrayBuffer,
  }
  const { worker } = options.thread ?? (await startCaptureThread())

  const stop = (): void => {
    worker.removeAllListeners('message')
    writeSync(stopFd, new Uint8Array(new BigUint64Array([1n]).buffer))
    Atomics.store(underWay, BATCHES_UNDER_WAY, 0)
    Atomics.notify(underWay, BATCHES_UNDER_WAY)
  }
  worker.on('message', (report: WorkerReport) => {
    if (report.kind === 'started') return
    if (report.kind === 'ready') return ready()
    const packets = unpackFrames(report.frames)
      .map((frame) => parseFrame(frame.bytes, frame))
      .filter((packet) => packet !== undefined)
    counters.received += packets.length
    counters.dropped += report.dropped
    if (packets.length > 0) deliver(packets)
    Atomics.sub(underWay, BATCHES_UNDER_WAY, 1)
    Atomics.notify(underWay, BATCHES_UNDER_WAY)
  })
  signal.addEventListener('abort', stop, { once: true })
  // A thread inside poll(2) cannot be terminated, and Node waits for its threads before it exits.
  process.once('exit', stop)
  try {
    worker.postMessage(setup)
    await ended(worker, signal)
  } finally {
    signal.removeEventListener('abort', stop)
    process.removeListener('exit', stop)
    closeSync(stopFd)
  }
}

/** Resolves when the worker ended because it was told to. */
function ended(worker: Worker, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let why = 'the capturing thread ended by itself'
    worker.on('error', (error) => {
      why = `the capturing thread failed: ${error instanceof Error ? error.message : String(error)}`
    })
    worker.on('exit', () => {
      if (signal.aborted) resolve()
      else reject(captureError(failed(why)))
    })
  })
}

function openEventFd(): number {
  let fd: number
  try {
    fd = libc().eventfd(0, EFD_FLAGS)
  } catch (error) {
    throw captureError(failed(`packet sockets: ${(error as Error).message}`))
  }
  if (fd < 0) throw captureError(failed(`no eventfd (${describeErrno(libc().errno())})`))
  return fd
}

function failed(detail: string): Failure<'CAPTURE_FAILED'> {
  return { code: 'CAPTURE_FAILED', detail }
}

/** Beside this file, both as TypeScript and compiled. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./packet-socket-worker.${extension}`, import.meta.url)
}
