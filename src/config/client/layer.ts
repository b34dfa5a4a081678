/**
 * What one source says of a knock: a stanza of `.fwknoprc`, or the flags. Layers are laid over each other, and what
 * they say together is judged only in the end.
 */
import type { IpAddress } from '../../packet/address.ts'
import type { DigestType } from '../../packet/digest-type.ts'
import type { EncryptionMode } from '../../packet/encryption-mode.ts'
import type { EncryptionKey, HmacKey, NodeSecret, ProxyPassword, SigningPassphrase } from '../../packet/key.ts'
import type { HostName, ProtocolPort, Username } from '../../packet/message.ts'
import type { KeyName } from '../../packet/node-name.ts'
import type { Port, Seconds } from '../../units.ts'
import type { GatewayUrl } from './gateway-urls.ts'
import type { DnsSource, WebSource } from './own-address-sources.ts'

/** The ways to send a packet, by their names in SPA_SERVER_PROTO. All but `https` are fwknop's. */
export const TRANSPORTS = ['udp', 'tcp', 'http', 'https', 'udpraw', 'tcpraw', 'icmp'] as const
/** How a packet is sent. */
export type Transport = (typeof TRANSPORTS)[number]

/** An HTTP proxy. Without a port: as fwknop, the port of the server. */
export interface HttpProxy {
  /** A name or an address. */
  readonly host: string
  readonly port?: Port
}

/** A key, or the file that lists it by server. */
export type KeySource<Key> = { readonly key: Key } | { readonly file: string }

/** What counts for a knock, each setting optional. */
export interface ClientSettings {
  /** SPA_SERVER: a name or an address. */
  readonly server?: string
  readonly serverPort?: Port
  readonly randomPort?: boolean
  readonly sourcePort?: Port
  /** SERVER_RESOLVE_IPV4: only addresses of this family. */
  readonly family?: 4 | 6
  readonly access?: readonly ProtocolPort[]
  readonly allow?: IpAddress | 'packet-source'
  /** 0: as long as the server likes. */
  readonly timeout?: Seconds
  /** Added to the clock, possibly negative, in seconds. */
  readonly timeOffset?: number
  readonly username?: Username
  /** Without a port: the port of `access`. */
  readonly natAccess?: { readonly host: IpAddress | HostName; readonly port?: Port }
  readonly natLocal?: boolean
  readonly natPort?: Port
  readonly natRandomPort?: boolean
  readonly digestType?: DigestType
  /** `asymmetric` is another word for `gpg`. */
  readonly encryptionMode?: EncryptionMode | 'asymmetric'
  readonly encryptionKey?: KeySource<EncryptionKey>
  readonly hmacKey?: KeySource<HmacKey>
  readonly hmacDigestType?: DigestType
  /** Ask for an HMAC key where none is given. */
  readonly useHmac?: boolean
  readonly verbose?: boolean
  /** NO_SAVE_ARGS: `fwknop` does not save the command line. */
  readonly noSaveArgs?: boolean

  /** SPA_SERVER_PROTO. Absent: by UDP. */
  readonly transport?: Transport
  /** HTTP_PROXY, `--http-proxy`. */
  readonly httpProxy?: HttpProxy
  /** HTTP_PROXY_USER. */
  readonly httpProxyUser?: string
  /** HTTP_PROXY_PASSWORD, or a file whose first line it is. */
  readonly httpProxyPassword?: KeySource<ProxyPassword>
  /** HTTPS_CA_FILE: certificates of further authorities to trust, as PEM. */
  readonly caFile?: string
  /** GATEWAY: packets go by the first of them that takes them. All are asked for the own address. */
  readonly gateways?: readonly GatewayUrl[]
  /** GATEWAY_TARGET: the id of the server there. */
  readonly gatewayTarget?: string
  /** GATEWAY_FINGERPRINT: SHA-256 of the certificate of each gateway, in their order, `AB:CD:…`. */
  readonly gatewayFingerprints?: readonly (string | undefined)[]
  /** SPOOF_SOURCE_IP: the source address in the packet's IP header. */
  readonly spoofedSource?: IpAddress
  /** `--icmp-type`, 0 to 255. */
  readonly icmpType?: number
  /** `--icmp-code`, 0 to 255. */
  readonly icmpCode?: number

  /** RESOLVE_IP_HTTPS, RESOLVE_IP_HTTP, `ALLOW_IP resolve`: find the own address. Has no effect beside `allow`. */
  readonly resolveOwn?: boolean
  /** RESOLVE_URL: which web services to ask for it. */
  readonly resolveUrl?: readonly WebSource[]
  /** RESOLVE_DNS: which DNS server to ask for it. */
  readonly resolveDns?: DnsSource
  /** RESOLVE_HTTP_ONLY. */
  readonly resolveHttpOnly?: boolean
  /** HTTP_USER_AGENT: for SPA over HTTP, and for the service that is asked. */
  readonly userAgent?: string
  /** USE_WGET_USER_AGENT. */
  readonly wgetUserAgent?: boolean
  /** WGET_CMD. */
  readonly wgetCommand?: string

  /** USE_GPG: encrypt by GnuPG. Without it, the settings below have no effect. */
  readonly gpg?: boolean
  /** GPG_RECIPIENT: the key to encrypt to. */
  readonly gpgRecipient?: string
  /** GPG_SIGNER: the key to sign with. */
  readonly gpgSigner?: string
  /** GPG_HOMEDIR. */
  readonly gpgHome?: string
  /** GPG_EXE. */
  readonly gpgProgram?: string
  /** USE_GPG_AGENT: the agent has the passphrase. */
  readonly gpgAgent?: boolean
  /** GPG_NO_SIGNING_PW: the key has no passphrase. */
  readonly gpgNoPassphrase?: boolean
  /** GPG_SIGNING_PW, GPG_SIGNING_PW_BASE64: the passphrase of the signer's key. */
  readonly gpgPassphrase?: SigningPassphrase
}

/** For each setting: its value; or null, which takes back the value of a weaker layer. */
export type SettingLayer = { readonly [Name in keyof ClientSettings]?: ClientSettings[Name] | null } & FleetSettings

/** The reader of the rc file makes keys of these (docs/WIRE.md § 17), and nobody behind it sees them. */
export interface FleetSettings {
  /** FLEET: the stanza with the secret. */
  readonly fleet?: string
  /** NODE: for which key name the keys are derived. */
  readonly node?: KeyName
  /** NODE_SECRET_BASE64. */
  readonly nodeSecret?: NodeSecret
}

/** @param layers the weakest first. @returns the settings that count. */
export function settle(layers: readonly SettingLayer[]): ClientSettings {
  const { resolveOwn, ...rest }: SettingLayer = Object.assign({}, ...layers)
  // As in fwknop: a named address overrides one that would have to be looked up, in any layer.
  const named = rest.allow !== undefined && rest.allow !== null
  const counting = named ? rest : { resolveOwn, ...rest }
  // Without null, each value is of the type that ClientSettings has for its name.
  return Object.fromEntries(Object.entries(counting).filter(([, value]) => (value ?? null) !== null)) as ClientSettings
}
