/** One block of `access.conf`, parsed. The words are fwknop's; the values are ours (docs/FROM-FWKNOP.md). */
import type { IpAddress, Network } from '../packet/address.ts'
import type { Authentication } from '../packet/authenticate.ts'
import type { Encryption } from '../packet/cipher.ts'
import type { ProtocolPort, Username } from '../packet/message.ts'
import type { SourceLocation } from '../result.ts'
import type { Brand, Port, PortRange, Seconds, UnixSeconds } from '../units.ts'
import type { StanzaName } from './stanza-name.ts'

/**
 * The place of a stanza among all stanzas, counted from 1, as fwknop's log counts them. It moves when a stanza before it is added or
 * removed, so it means nothing under another configuration.
 */
export type StanzaId = Brand<number, 'StanzaId'>

/** Where a stanza may forward to: addresses and ports. */
export interface NatTargetRule {
  readonly network: Network
  readonly ports: PortRange
}

/** What a stanza's packets are encrypted with, by `kind`. */
export type StanzaEncryption = SymmetricEncryption

/** KEY and ENCRYPTION_MODE: client and server have the same key. */
export interface SymmetricEncryption extends Encryption {
  readonly kind: 'symmetric'
}

export interface Stanza {
  readonly id: StanzaId
  /** NAME (ghostport's own): unique among all stanzas. Absent: people call the stanza by its number. */
  readonly name?: StanzaName
  readonly location: SourceLocation
  /** SOURCE: matched against the address that the packet came from. */
  readonly sources: 'any' | readonly Network[]
  /** DESTINATION: matched against the address that the packet was sent to. */
  readonly destinations: 'any' | readonly Network[]
  readonly encryption: StanzaEncryption
  /** Absent: the stanza opens packets that carry no HMAC. */
  readonly hmac?: Authentication
  /** OPEN_PORTS: all that is asked for must be here. Absent: anything. */
  readonly openPorts?: readonly ProtocolPort[]
  /** RESTRICT_PORTS: nothing that is asked for may be here. */
  readonly restrictPorts: readonly ProtocolPort[]
  /** FW_ACCESS_TIMEOUT: lifetime where the client asks for none. Already within `maxTimeout`. */
  readonly timeout: Seconds
  /** MAX_FW_TIMEOUT. */
  readonly maxTimeout: Seconds
  readonly requireUsername?: Username
  /** REQUIRE_SOURCE_ADDRESS: refuse “whatever address the packet came from”. */
  readonly requireSourceAddress: boolean
  /** REQUIRE_PACKET_SOURCE (ghostport's own): refuse to open for another address than the one the packet came from. */
  readonly requirePacketSource: boolean
  /** ACCESS_EXPIRE: from this moment on, the stanza grants nothing. */
  readonly expires?: UnixSeconds
  /** FORCE_NAT: whatever is asked for, forward it here. */
  readonly forceNat?: { readonly address: IpAddress; readonly port: Port }
  /** FORCE_SNAT or FORCE_MASQUERADE: what the inner host sees, whatever the server's own default. */
  readonly forceTranslation?: 'masquerade' | { readonly snat: IpAddress }
  /** NAT_TARGETS (ghostport's own): where NAT requests may lead. Absent: anywhere, as in fwknop, with a warning. */
  readonly natTargets?: readonly NatTargetRule[]
}
