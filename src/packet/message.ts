/**
 * The message: what an SPA packet says once it is opened (docs/WIRE.md § 2–5). The wire's variants with a client
 * timeout (types 3, 4, 6) are the plain kinds with `timeout` set.
 */
import type { Brand, Port, Seconds, UnixSeconds } from '../units.ts'
import type { IpAddress } from './address.ts'

/** What a port is of. */
export type Protocol = 'tcp' | 'udp'

/** One of the ports that are asked for: `tcp/22`. */
export interface ProtocolPort {
  readonly protocol: Protocol
  readonly port: Port
}

/** A user name that the wire can carry: 1–48 bytes of the charset of docs/WIRE.md § 4. */
export type Username = Brand<string, 'Username'>

/** Whom to open for: an address in the message, or the source of the packet (`0.0.0.0` on the wire). */
export type RequestedSource = IpAddress | 'packet-source'

/** What every message says. */
export interface MessageHeader {
  /** 16 decimal digits. */
  readonly random: string
  readonly username: Username
  readonly timestamp: UnixSeconds
  /** The sender's protocol version, as sent: `3.0.0`, `1.9.12`. */
  readonly version: string
  readonly source: RequestedSource
  /** The old server-auth text. It is read and never used, as in fwknop. */
  readonly serverAuth?: string
}

/** What every message says that asks for ports. */
export interface AccessHeader extends MessageHeader {
  /** At least one. */
  readonly ports: readonly ProtocolPort[]
  /** The lifetime that the client asks for. */
  readonly timeout?: Seconds
}

/** Type 0. */
export interface CommandMessage extends MessageHeader {
  readonly kind: 'command'
  readonly command: string
}
/** Types 1 and 3: open these ports of the server itself. */
export interface AccessMessage extends AccessHeader {
  readonly kind: 'access'
}
/** The target of a NAT request: an inner host by address or by name, and its port. */
export interface NatTarget {
  readonly host: IpAddress | HostName
  readonly port: Port
}
/** A name that passed the hostname check of docs/WIRE.md § 5. It is not resolved yet. */
export interface HostName {
  readonly name: string
}
/** Types 2 and 4: forward the public port `ports[0]` to `target`. 1.9.12 sends the two ports in the other order. */
export interface NatAccessMessage extends AccessHeader {
  readonly kind: 'natAccess'
  readonly target: NatTarget
}
/**
 * Types 5 and 6, the ghost service: `ports[0]` is the public port, `localPort` the service's port on the server. 1.9.12
 * sends the two in the other order; `parseMessage` corrects this.
 */
export interface LocalNatMessage extends AccessHeader {
  readonly kind: 'localNatAccess'
  readonly localPort: Port
  /** The host as sent, for logs. The ghost service is always on the server itself. */
  readonly host: string
}
/** Type 90, ours: end what the same keys opened for this address (docs/WIRE.md § 18). */
export interface CloseMessage extends MessageHeader {
  readonly kind: 'close'
  /** The ports that were asked for; with NAT, the public ones. Empty: all ports. */
  readonly ports: readonly ProtocolPort[]
}

/** What a packet says, by its kind. */
export type Message = CommandMessage | AccessMessage | NatAccessMessage | LocalNatMessage | CloseMessage
