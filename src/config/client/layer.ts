/**
 * What one source says of a knock: a stanza of `.fwknoprc`, or the flags. Layers are laid over each other, and only
 * what counts in the end is judged: a setting that ghostport lacks does no harm where a stronger layer replaces it.
 */
import type { IpAddress } from '../../packet/address.ts'
import type { DigestType } from '../../packet/digest-type.ts'
import type { EncryptionMode } from '../../packet/encryption-mode.ts'
import type { EncryptionKey, HmacKey } from '../../packet/key.ts'
import type { HostName, ProtocolPort, Username } from '../../packet/message.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import type { Port, Seconds } from '../../units.ts'

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
  readonly encryptionMode?: EncryptionMode
  readonly encryptionKey?: KeySource<EncryptionKey>
  readonly hmacKey?: KeySource<HmacKey>
  readonly hmacDigestType?: DigestType
  /** Ask for an HMAC key where none is given. */
  readonly useHmac?: boolean
  readonly verbose?: boolean
}

/** A wish that was understood and that ghostport cannot fulfil yet. Refused only if it counts. */
export class Unbuilt {
  readonly failure: Failure
  constructor(failure: Failure) {
    this.failure = failure
  }
}

/** What only layers know: wishes of which ghostport fulfils none, or one. */
interface Wishes {
  /** SPA_SERVER_PROTO. */
  readonly transport?: 'udp'
  /** RESOLVE_IP_HTTP and RESOLVE_IP_HTTPS: ask a web service for the own address, where no other is named. */
  readonly resolveHttp?: never
  readonly resolveHttps?: never
  /** USE_GPG. */
  readonly gpg?: never
  /** SPOOF_SOURCE_IP. */
  readonly spoofedSource?: never
}

type Values = ClientSettings & Wishes

/**
 * For each setting: its value; a wish that cannot be fulfilled; or null, which takes the wish of a weaker layer back.
 */
export type SettingLayer = { readonly [Name in keyof Values]?: Values[Name] | Unbuilt | null }

/**
 * @param layers the weakest first.
 * @returns the settings that count, or the failure of one of them that ghostport cannot fulfil.
 */
export function settle(layers: readonly SettingLayer[]): Result<ClientSettings, Failure> {
  const { transport, resolveHttp, resolveHttps, gpg, spoofedSource, ...rest }: SettingLayer = Object.assign(
    {},
    ...layers,
  )
  // As in fwknop: a named address overrides one that would have to be looked up, in any layer.
  const resolve = rest.allow === undefined ? [resolveHttp, resolveHttps] : []
  const wishes = [transport, ...resolve, gpg, spoofedSource, ...Object.values(rest)]
  for (const wish of wishes) if (wish instanceof Unbuilt) return { ok: false, failure: wish.failure }
  const settings = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
  // Without null and Unbuilt, each value is of the type that ClientSettings has for its name.
  return ok(settings as ClientSettings)
}
