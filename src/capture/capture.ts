/** The port through which packets arrive. Contract: `test/contract/capture.ts`. */
import { failureKinds } from '../failure-codes.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Failure } from '../result.ts'
import type { Port } from '../units.ts'
import type { Disbelief } from './disbelief.ts'

export type CaptureFailure = Failure<'CAPTURE_DENIED' | 'CAPTURE_FAILED'>

/** What the privileged half of a capture hands over: descriptors, close-on-exec, to go into the receiver's `stdio`. */
export interface OpenedCapture {
  readonly fds: readonly number[]
  close(): void
}

/** The ways in which a packet can come. All UDP sockets are one way, however they are read. */
export type Via = 'packet-socket' | 'udp'

/** One datagram that may be an SPA packet. Nothing in it is trusted, but for how it came. */
export interface CapturedPacket {
  readonly via: Via
  /** Valid until the capture is asked for more: it may lie in memory that is used again. */
  readonly payload: Uint8Array
  readonly source: IpAddress
  readonly sourcePort: Port
  /** Absent where the way of capture cannot know (a UDP socket bound to every address). */
  readonly destination?: IpAddress
  readonly destinationPort: Port
  /**
   * Index of the interface by which it came. Absent where the kernel has judged the packet before it was handed on: from a UDP
   * socket.
   */
  readonly interfaceIndex?: number
  /** Why the kernel would not take it. Such a packet is counted and told, not opened; its ports may be 0. */
  readonly doubt?: Disbelief
}

export interface CaptureCounters {
  /** Handed on. */
  readonly received: number
  /** Lost before we saw them: the kernel's own count, where it keeps one. */
  readonly dropped: number
}

/** Packets from descriptors. The caller waits with poll(2) until one of them is readable. */
export interface Capture {
  readonly fds: readonly number[]
  /**
   * Takes what has arrived at one descriptor, in the order in which it arrived, but not more than one batch. Never waits.
   *
   * @param fd one of {@link fds}
   * @returns the packets; none where nothing came, or nothing of use
   * @throws Error with a {@link CaptureFailure} in `cause`, if packets can never come again
   */
  receive(fd: number): readonly CapturedPacket[]
  counters(): CaptureCounters
  /** Lets go of what it opened itself. The descriptors stay open. */
  close(): void
}

/** Packets as events of Node's loop: for systems where poll(2) cannot be called. */
export interface EventCapture {
  /**
   * Hands on packets as they arrive, until `signal` aborts; then resolves. Rejects with a {@link CaptureFailure} in `cause` if packets
   * can never come again. To be called once.
   *
   * @param deliver is called with one or more packets; it must not throw.
   * @param ready is called once, when packets are being received.
   */
  run(deliver: (packets: readonly CapturedPacket[]) => void, signal: AbortSignal, ready: () => void): Promise<void>
  counters(): CaptureCounters
}

/** How a capture ends that cannot go on. @returns an Error whose `cause` is the failure, and whose message tells it to a person. */
export function captureError(failure: CaptureFailure): Error & { readonly cause: CaptureFailure } {
  const error = new Error(`${failureKinds[failure.code].sentence}: ${failure.detail}`, { cause: failure })
  return error as Error & { readonly cause: CaptureFailure }
}
