/** The port through which packets arrive. Contract: `test/contract/capture.ts`. */
import type { Carrier } from '../config/server/pcap-filter.ts'
import { failureKinds } from '../failure-codes.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Failure } from '../result.ts'
import type { Milliseconds, Port } from '../units.ts'
import type { Disbelief } from './disbelief.ts'

export type CaptureFailure = Failure<'CAPTURE_DENIED' | 'CAPTURE_FAILED'>

/** What the privileged half of a capture hands over: close-on-exec descriptors for the receiver's `stdio`. */
export interface OpenedCapture {
  readonly fds: readonly number[]
  /** Does for interfaces that came, or came again, what was done for the others. Absent if there is nothing to do. */
  renew?(): void
  close(): void
}

/** The ways in which a packet can come. All UDP sockets are one way, no matter how they are read. */
export type Via = 'packet-socket' | 'udp' | 'tcp-server' | 'pcap-file'

/** How a packet came, in one word: for the log and for `ghostport status`. The first four came by a packet socket. */
export const WAYS = ['udp', 'tcp', 'icmp', 'icmp6', 'udp-socket', 'tcp-server', 'pcap-file'] as const
export type Way = (typeof WAYS)[number]

export function wayOf({ via, carrier }: Pick<CapturedPacket, 'via' | 'carrier'>): Way {
  switch (via) {
    case 'packet-socket':
      return carrier ?? 'udp'
    case 'udp':
      return 'udp-socket'
    case 'tcp-server':
    case 'pcap-file':
      return via
    default:
      return via satisfies never
  }
}

/** What carries it, unless it is UDP. */
export type OtherCarrier = Exclude<Carrier, 'udp'>

/** One datagram or segment that may be an SPA packet. Nothing in it is trusted; only how it came is known. */
export interface CapturedPacket {
  readonly via: Via
  /** Absent for UDP. */
  readonly carrier?: OtherCarrier
  /** Valid until the capture is asked for more: the memory may be used again. */
  readonly payload: Uint8Array
  readonly source: IpAddress
  /** 0 for ICMP, which has no ports. So is the other one. */
  readonly sourcePort: Port
  /** Absent if the way of capture does not report it (a UDP socket bound to every address). */
  readonly destination?: IpAddress
  readonly destinationPort: Port
  /**
   * Index of the interface where it arrived. Absent if the kernel judged the packet before handing it on, as with a UDP
   * socket.
   */
  readonly interfaceIndex?: number
  /** Why the kernel would not accept it. Such a packet is counted and reported, but not opened. Its ports may be 0. */
  readonly doubt?: Disbelief
}

export interface CaptureCounters {
  /** Packets handed on. */
  readonly received: number
  /** Lost before they were looked at: by the kernel's own count if it keeps one, or passed over (`fair-share.ts`). */
  readonly dropped: number
  /** Packets that came in by an interface that PCAP_INTF does not name. Absent: none, or all interfaces are named. */
  readonly elsewhere?: Elsewhere
}

/** Packets that could be knocks, and were passed over because of their interface. */
export interface Elsewhere {
  readonly packets: number
  /** Index of the interface of the latest one. */
  readonly interfaceIndex: number
}

/** Packets from descriptors. The caller waits with poll(2) until one of them is readable. */
export interface Capture {
  /** Another array after {@link receive} or {@link expire}, if they have changed. None if it has ended. */
  readonly fds: readonly number[]
  /** When {@link expire} has to be called; undefined if nothing waits. Absent if nothing ever does. */
  readonly dueAt?: Milliseconds | undefined
  /** @returns packets of which no more will come. */
  expire?(now: Milliseconds): readonly CapturedPacket[]
  /** Of what has an end: whether all of it was read, or why no more can be. No packet comes any more. */
  readonly ended?: 'whole' | CaptureFailure | undefined
  /**
   * Takes what has arrived at one descriptor, in order of arrival, up to one batch. Never waits.
   *
   * @param fd one of {@link fds}
   * @returns the packets; empty if none came, or none that can be used
   * @throws Error with a {@link CaptureFailure} in `cause`, if no packet can ever come again
   */
  receive(fd: number): readonly CapturedPacket[]
  /** How many packets were taken from the descriptors so far, of use or not. */
  readonly taken: number
  counters(): CaptureCounters
  /** Closes what it opened itself. The descriptors stay open. */
  close(): void
}

/** Packets as events of Node's loop: for systems where poll(2) cannot be called. */
export interface EventCapture {
  /**
   * Hands on packets as they arrive, until `signal` aborts; then resolves. Rejects with a {@link CaptureFailure} in
   * `cause` if no packet can ever come again. Call it once.
   *
   * @param deliver is called with one or more packets; it must not throw.
   * @param ready is called once, when packets are being received.
   */
  run(deliver: (packets: readonly CapturedPacket[]) => void, signal: AbortSignal, ready: () => void): Promise<void>
  counters(): CaptureCounters
}

/**
 * The error of a capture that cannot go on. @returns an Error whose `cause` is the failure, with a message for people.
 */
export function captureError(failure: CaptureFailure): Error & { readonly cause: CaptureFailure } {
  const error = new Error(`${failureKinds[failure.code].sentence}: ${failure.detail}`, { cause: failure })
  return error as Error & { readonly cause: CaptureFailure }
}
