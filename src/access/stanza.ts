/** One block of `access.conf`, parsed. The names are fwknop's; the values are ours (docs/FROM-FWKNOP.md). */
import type { IpAddress, Network } from '../packet/address.ts'
import type { Authentication } from '../packet/authenticate.ts'
import type { Encryption } from '../packet/cipher.ts'
import type { DecryptionPassphrase } from '../packet/key.ts'
import type { ProtocolPort, Username } from '../packet/message.ts'
import type { SourceLocation } from '../result.ts'
import type { Brand, Port, PortRange, Seconds, UnixSeconds } from '../units.ts'
import type { CommandRule, RunAs } from './command.ts'
import type { CycleRule } from './cycle.ts'
import type { SignaturePolicy } from './signature.ts'
import type { StanzaName } from './stanza-name.ts'

/**
 * The place of a stanza among all stanzas, counted from 1, as in fwknop's log. It changes when an earlier stanza is
 * added or removed, so it is valid for one configuration only.
 */
export type StanzaId = Brand<number, 'StanzaId'>

/** Where a stanza may forward to: addresses and ports. */
export interface NatTargetRule {
  readonly network: Network
  readonly ports: PortRange
}

/** How the packets of a stanza are encrypted, by `kind`. */
export type StanzaEncryption = SymmetricEncryption | GnupgEncryption

/** KEY and ENCRYPTION_MODE: client and server have the same key. */
export interface SymmetricEncryption extends Encryption {
  readonly kind: 'symmetric'
}

/** GPG_DECRYPT_PW or GPG_ALLOW_NO_PW: clients encrypt to a key of the server's keyring, and sign. */
export interface GnupgEncryption extends GnupgDecrypter {
  readonly kind: 'gnupg'
  readonly signature: SignaturePolicy
}

/** How gpg is run to decrypt a packet. */
export interface GnupgDecrypter {
  /** GPG_HOME_DIR: the folder of the keyring. */
  readonly home: string
  /** GPG_EXE: path of gpg. */
  readonly program: string
  /** GPG_DECRYPT_ID: the keys that may decrypt, as gpg understands them. Absent: any secret key of the keyring. */
  readonly decryptIds?: readonly string[]
  /** GPG_DECRYPT_PW. Absent: the key has none. */
  readonly passphrase?: DecryptionPassphrase
}

export interface Stanza {
  readonly id: StanzaId
  /** NAME (ghostport's own): unique among all stanzas. Absent: messages name the stanza by its number. */
  readonly name?: StanzaName
  readonly location: SourceLocation
  /** The stanza is one of the cluster (CLUSTER_USERS). Absent: of this node’s own access.conf. */
  readonly ofCluster?: true
  /** SOURCE: matched against the address that the packet came from. */
  readonly sources: 'any' | readonly Network[]
  /** DESTINATION: matched against the address that the packet was sent to. */
  readonly destinations: 'any' | readonly Network[]
  /**
   * SPA_PORT (ghostport's own): matched against the port that the packet was sent to. Absent: the server's ports
   * (`Policy.sharedPorts`).
   */
  readonly spaPorts?: readonly PortRange[]
  readonly encryption: StanzaEncryption
  /** For a stanza that has a symmetric key, and opens GnuPG packets too: their length tells them apart. */
  readonly alsoGnupg?: GnupgEncryption
  /** Absent: the stanza opens packets that carry no HMAC. */
  readonly hmac?: Authentication
  /** OPEN_PORTS: every requested port must be here. Absent: any port. */
  readonly openPorts?: readonly ProtocolPort[]
  /** RESTRICT_PORTS: no requested port may be here. */
  readonly restrictPorts: readonly ProtocolPort[]
  /** FW_ACCESS_TIMEOUT: the lifetime if the client asks for none. Never above `maxTimeout`. */
  readonly timeout: Seconds
  /** MAX_FW_TIMEOUT. */
  readonly maxTimeout: Seconds
  readonly requireUsername?: Username
  /** REQUIRE_SOURCE_ADDRESS: refuse packets that say “the address that this packet came from”. */
  readonly requireSourceAddress: boolean
  /** REQUIRE_PACKET_SOURCE (ghostport's own): refuse to open for any address but the one that the packet came from. */
  readonly requirePacketSource: boolean
  /** CLUSTER_REQUIRED N (ghostport's own): grants also while the cluster does not say whether a packet is new. */
  readonly withoutCluster?: true
  /** GATES (ghostport's own): names and patterns of nodes that open what this stanza grants, each by its own policy. */
  readonly gates?: readonly string[]
  /** FROM_CLUSTER Y (ghostport's own): opens what a stanza of this NAME has granted at another node. */
  readonly fromCluster?: true
  /** ACCESS_EXPIRE: from this moment the stanza grants nothing. */
  readonly expires?: UnixSeconds
  /** FORCE_NAT: every request is forwarded here. */
  readonly forceNat?: { readonly address: IpAddress; readonly port: Port }
  /** FORCE_SNAT or FORCE_MASQUERADE: the source that the inner host sees. Overrides the server's own setting. */
  readonly forceTranslation?: 'masquerade' | { readonly snat: IpAddress }
  /** FORWARD_ALL: a request with NAT opens the way to every inner host and port that NAT_TARGETS allows. */
  readonly forwardAll?: true
  /** DISABLE_DNAT: inner hosts are reached at their own addresses, and no public port leads to them. */
  readonly disableDnat?: true
  /** NAT_TARGETS (ghostport's own): where NAT requests may lead. Absent: anywhere, as in fwknop, with a warning. */
  readonly natTargets?: readonly NatTargetRule[]
  /** ENABLE_CMD_EXEC: command messages are carried out. Absent: they are refused. */
  readonly commands?: CommandRule
  /** CMD_EXEC_USER and CMD_EXEC_GROUP without ENABLE_CMD_EXEC. They must exist all the same, as for fwknopd. */
  readonly idleRunAs?: RunAs
  /** CMD_CYCLE_OPEN: programs open what is asked for, and not the firewall. */
  readonly cycle?: CycleRule
  /** The lines that name users and groups, which may not be on this host. */
  readonly accountLines?: Readonly<Partial<Record<AccountSetting, SourceLocation>>>
}

/** Whom the programs of a stanza run as. */
export type AccountSetting = `CMD_${'EXEC' | 'SUDO_EXEC' | 'CYCLE'}_${'USER' | 'GROUP'}`

/** All ways in which the packets of a stanza may be encrypted: one, or two of different kinds. */
export function encryptionsOf({
  encryption,
  alsoGnupg,
}: Pick<Stanza, 'encryption' | 'alsoGnupg'>): readonly StanzaEncryption[] {
  return alsoGnupg === undefined ? [encryption] : [encryption, alsoGnupg]
}

/** @returns undefined for a stanza without GnuPG. */
export function gnupgOf(stanza: Pick<Stanza, 'encryption' | 'alsoGnupg'>): GnupgEncryption | undefined {
  return encryptionsOf(stanza).find((encryption) => encryption.kind === 'gnupg')
}
