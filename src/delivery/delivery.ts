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

/** What is known once the packet has left this host. Nothing ever comes back. */
export interface Departure {
  /** The address of this host that the packet left from. Behind NAT, the server sees another one. */
  readonly localAddress: IpAddress
  /** When, on the clock of `performance.now()`. */
  readonly at: number
}

/** A way for packets to leave this host. */
export interface Delivery {
  /** Passes the packet to the system. A packet that left may still not arrive. */
  send(packet: OutgoingPacket): Promise<Result<Departure, Failure<'SEND_FAILED'>>>
}
