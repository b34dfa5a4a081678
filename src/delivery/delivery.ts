/** The port through which packets leave: the client's side of capture. */
import type { IpAddress } from '../packet/address.ts'
import type { Failure, Result } from '../result.ts'
import type { Port } from '../units.ts'

/** One packet on its way out. */
export interface OutgoingPacket {
  /** The wire text (docs/WIRE.md § 1): ASCII, sent as it is, with no terminator. */
  readonly text: string
  readonly address: IpAddress
  readonly port: Port
}

/** What is known once the packet has left this host. A server never answers a knock. */
export interface Departure {
  /**
   * The address of this host that the packet left from; a spoofed source, if it has one. Behind NAT, the server sees
   * another one.
   */
  readonly localAddress: IpAddress
  /** When, on the clock of `performance.now()`. */
  readonly at: number
  /** The status of the HTTP answer, 100 to 599, where one was waited for and came. It says nothing about the knock. */
  readonly httpStatus?: number
  /**
   * Asks a gateway for what the server says of the packet. To be called at most once. Anybody may have made the text:
   * only `openReceipt` tells. Absent: the packet did not go through a gateway.
   */
  readonly receipt?: () => Promise<string | undefined>
}

/** Why a packet did not leave. */
export interface NotSent extends Failure<'SEND_FAILED'> {
  /** It may have left: its gateway had all of it, and did not say what it did with it. */
  readonly unclear?: true
}

/** A way for packets to leave this host. */
export interface Delivery {
  /**
   * Passes the packet to the system. A packet that left may still not arrive.
   * @param signal ends a connection that is not made yet: then the packet did not leave.
   */
  send(packet: OutgoingPacket, signal?: AbortSignal): Promise<Result<Departure, NotSent>>
}
