/**
 * What an SPA packet says once it is opened: the message (docs/WIRE.md § 2–5). The client-timeout variants of the wire
 * (types 3, 4, 6) are their plain kinds with `timeout` set.
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

/** Whom to open for: an address named in the message, or (`0.0.0.0` on the wire) the address the packet came from. */
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
  /** Old server-auth text; read and never used, as in fwknop. */
  readonly serverAuth?: string
}

/** What every message says that asks for ports. */
export interface AccessHeader extends MessageHeader {
  /** At least one. */
  readonly ports: readonly ProtocolPort[]
  /** How long the client asks the grant to last. */
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
/** Where a NAT request wants to arrive: an inner host by address or by name, and its port. */
export interface NatTarget {
  readonly host: IpAddress | HostName
  readonly port: Port
}
/** A name that passed the hostname check of docs/WIRE.md § 5, not yet resolved. */
export interface HostName {
  readonly name: string
}
/** Types 2 and 4: `ports[0]` is the public port; forward it to `target`. */
export interface NatAccessMessage extends AccessHeader {
  readonly kind: 'natAccess'
  readonly target: NatTarget
}
/**
 * Types 5 and 6, the ghost service: `ports[0]` is the public port, `localPort` the port of the service on the server.
 * 1.9.12 sends the two the other way round; `parseMessage` puts them right, so nobody past it need know.
 */
export interface LocalNatMessage extends AccessHeader {
  readonly kind: 'localNatAccess'
  readonly localPort: Port
  /** The host as sent: for logs. The ghost service is always on the server itself. */
  readonly host: string
}

/** What a packet says, by its kind. */
export type Message = CommandMessage | AccessMessage | NatAccessMessage | LocalNatMessage
