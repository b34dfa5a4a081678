/**
 * What a client may be told, under the names of `.fwknoprc`. A flag of the command line is another spelling of one of these
 * (cli/knock-options.ts), so that a value means the same, and is refused alike, wherever it was written.
 */
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { type DigestType, parseDigestType } from '../packet/digest-type.ts'
import { type EncryptionMode, parseEncryptionMode } from '../packet/encryption-mode.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { parseKeyBase64, parseKeyText } from '../packet/key-text.ts'
import type { HostName, ProtocolPort, Username } from '../packet/message.ts'
import { parseNatHost } from '../packet/nat-target.ts'
import { parseUsername } from '../packet/username.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Port, parsePort, type Seconds, seconds } from '../units.ts'
import { nearest } from './nearest.ts'
import { protocolPortsValue } from './setting-values.ts'

/** A key, or the file that lists it by server. */
export type KeySource<Key> = { readonly key: Key } | { readonly file: string }

/** Every setting is optional: settings of several origins are laid over each other, the more authoritative on top. */
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

export type SettingFailure = Failure<'CONFIG_INVALID_VALUE' | 'CONFIG_UNSUPPORTED_KEY' | 'KEY_INVALID'>

/** Reads the value of one setting. Where the setting asks for nothing (`N`), the settings are empty of it or say no. */
type ReadSetting = (value: string) => Result<ClientSettings, SettingFailure>

const OWN_ADDRESS =
  'asking a web service for the own address is not built yet: name it, or let the packet’s source count'
const GPG = 'GnuPG is not built yet'

/** Every name that fwknop's rc file knows. */
export const clientSettings = {
  SPA_SERVER: (value) => ok({ server: value }),
  SPA_SERVER_PORT: aPort((serverPort) => ({ serverPort, randomPort: false })),
  SPA_SERVER_PROTO: (value) =>
    value.toLowerCase() === 'udp' ? ok({}) : notYet(`packets go by UDP; “${value}” is not built yet`),
  SPA_SOURCE_PORT: aPort((sourcePort) => ({ sourcePort })),
  RAND_PORT: yesOrNo((randomPort) => ({ randomPort })),
  SERVER_RESOLVE_IPV4: yesOrNo((only) => (only ? { family: 4 } : {})),
  ACCESS: (value) => {
    const access = protocolPortsValue()(value)
    return access.ok ? ok({ access: access.value }) : access
  },
  ALLOW_IP: readAllow,
  FW_TIMEOUT: (value) => {
    // fwknopd drops a packet that asks for more, so that asking is pointless.
    const timeout = wholeNumber(value, 65535)
    if (timeout === undefined) return wrong(`“${value}” is not a number of seconds from 0 to 65535`)
    return ok({ timeout: seconds(timeout) })
  },
  TIME_OFFSET: readTimeOffset,
  SPOOF_USER: (value) => {
    const username = parseUsername(value)
    return username.ok ? ok({ username: username.value }) : invalid(username.failure)
  },
  NAT_ACCESS: readNatAccess,
  NAT_LOCAL: yesOrNo((natLocal) => ({ natLocal })),
  NAT_PORT: aPort((natPort) => ({ natPort, natRandomPort: false })),
  NAT_RAND_PORT: yesOrNo((natRandomPort) => ({ natRandomPort })),
  DIGEST_TYPE: aDigestType((digestType) => ({ digestType })),
  HMAC_DIGEST_TYPE: aDigestType((hmacDigestType) => ({ hmacDigestType })),
  ENCRYPTION_MODE: (value) => {
    if (value.toLowerCase() === 'asymmetric') return notYet(GPG)
    const mode = parseEncryptionMode(value)
    return mode.ok ? ok({ encryptionMode: mode.value }) : invalid(mode.failure)
  },
  KEY: (value) => withKey(parseKeyText(EncryptionKey, value), (key) => ({ encryptionKey: { key } })),
  KEY_BASE64: (value) => withKey(parseKeyBase64(EncryptionKey, value), (key) => ({ encryptionKey: { key } })),
  KEY_FILE: (file) => ok({ encryptionKey: { file } }),
  HMAC_KEY: (value) => withKey(parseKeyText(HmacKey, value), (key) => ({ hmacKey: { key } })),
  HMAC_KEY_BASE64: (value) => withKey(parseKeyBase64(HmacKey, value), (key) => ({ hmacKey: { key } })),
  HMAC_KEY_FILE: (file) => ok({ hmacKey: { file } }),
  USE_HMAC: yesOrNo((useHmac) => ({ useHmac })),
  VERBOSE: (value) => ok({ verbose: isYes(value) || /^[1-9]/.test(value) }),
  // Nothing is ever saved: not as asked, and not against the wish.
  NO_SAVE_ARGS: yesOrNo(() => ({})),

  USE_GPG: onlyNo(GPG),
  USE_GPG_AGENT: onlyNo(GPG),
  GPG_RECIPIENT: () => notYet(GPG),
  GPG_SIGNER: () => notYet(GPG),
  GPG_HOMEDIR: () => notYet(GPG),
  GPG_EXE: () => notYet(GPG),
  GPG_SIGNING_PW: () => notYet(GPG),
  GPG_SIGNING_PW_BASE64: () => notYet(GPG),
  GPG_NO_SIGNING_PW: onlyNo(GPG),
  SPOOF_SOURCE_IP: () => notYet('a packet leaves from the address of this host'),
  HTTP_USER_AGENT: () => notYet('packets go by UDP; HTTP is not built yet'),
  USE_WGET_USER_AGENT: onlyNo(OWN_ADDRESS),
  RESOLVE_URL: () => notYet(OWN_ADDRESS),
  RESOLVE_IP_HTTP: onlyNo(OWN_ADDRESS),
  RESOLVE_IP_HTTPS: onlyNo(OWN_ADDRESS),
  RESOLVE_HTTP_ONLY: onlyNo(OWN_ADDRESS),
  WGET_CMD: () => notYet(OWN_ADDRESS),
} as const satisfies Record<string, ReadSetting>

export type ClientSettingName = keyof typeof clientSettings

/** Settings whose value is a secret: a file that holds one must be its owner's alone. */
export const secretSettings: ReadonlySet<string> = new Set<ClientSettingName>([
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'GPG_SIGNING_PW',
  'GPG_SIGNING_PW_BASE64',
])

export function isClientSetting(name: string): name is ClientSettingName {
  return Object.hasOwn(clientSettings, name)
}

/** Reads the value of one setting. Details name neither the setting nor the place: the caller knows both. */
export function readClientSetting(name: ClientSettingName, value: string): Result<ClientSettings, SettingFailure> {
  return clientSettings[name](value)
}

function readAllow(value: string): Result<ClientSettings, SettingFailure> {
  const word = value.toLowerCase()
  if (word === 'source') return ok({ allow: 'packet-source' })
  if (word === 'resolve') return notYet(OWN_ADDRESS)
  const address = parseAddress(value)
  if (!address.ok) return invalid(address.failure, nearest(word, ['source']))
  return ok({ allow: address.value === '0.0.0.0' || address.value === '::' ? 'packet-source' : address.value })
}

const offsetUnits: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `90`, `-90`, `5m`, `2hours`. fwknop takes the first of m, h and d that it meets anywhere; here the unit is read. */
function readTimeOffset(value: string): Result<ClientSettings, SettingFailure> {
  const match = /^(-?)([0-9]{1,5})(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)?$/i.exec(value)
  const amount = Number(match?.[2])
  if (match === null || amount > 65536)
    return wrong(`“${value}” is not a time offset: up to 65536 seconds, or with a unit m, h or d: 90, 5m, 2h, -1d`)
  const unit = offsetUnits[(match[3] ?? 's').charAt(0).toLowerCase()] ?? 1
  return ok({ timeOffset: (match[1] === '-' ? -1 : 1) * amount * unit })
}

/** `HOST`, `HOST:PORT`, fwknop's `HOST,PORT`, `[IPV6]:PORT`, or a bare IPv6 address. */
function readNatAccess(value: string): Result<ClientSettings, SettingFailure> {
  const bracketed = /^\[([^\]]*)\](?:[:,](.*))?$/.exec(value)
  const plain = /^([^:,]*)(?:[:,]([^:,]*))?$/.exec(value)
  const [host, portText] = bracketed?.slice(1) ?? plain?.slice(1) ?? [value]
  const target = parseNatHost(host ?? '')
  if (!target.ok) return wrong(`“${value}” is not HOST or HOST:PORT: ${target.failure.detail}`)
  if (portText === undefined) return ok({ natAccess: { host: target.value } })
  const port = parsePort(portText)
  return port.ok ? ok({ natAccess: { host: target.value, port: port.value } }) : invalid(port.failure)
}

function aPort(settings: (port: Port) => ClientSettings): ReadSetting {
  return (value) => {
    const port = parsePort(value)
    return port.ok ? ok(settings(port.value)) : invalid(port.failure)
  }
}

function aDigestType(settings: (type: DigestType) => ClientSettings): ReadSetting {
  return (value) => {
    const type = parseDigestType(value)
    return type.ok ? ok(settings(type.value)) : invalid(type.failure)
  }
}

/** fwknop: whatever begins with a Y is a yes, the rest is a no. Here a no must look like one. */
function yesOrNo(settings: (yes: boolean) => ClientSettings): ReadSetting {
  return (value) =>
    isYes(value) || /^(n|no|off|false|0)$/i.test(value)
      ? ok(settings(isYes(value)))
      : wrong(`“${value}” is neither Y nor N`)
}

/** For a switch that turns on what is not built. */
function onlyNo(why: string): ReadSetting {
  return (value) => (isYes(value) ? notYet(why) : ok({}))
}

function isYes(value: string): boolean {
  return /^y/i.test(value)
}

function wholeNumber(text: string, max: number): number | undefined {
  return /^[0-9]{1,6}$/.test(text) && Number(text) <= max ? Number(text) : undefined
}

function withKey<Key>(
  key: Result<Key, Failure<'KEY_INVALID'>>,
  settings: (key: Key) => ClientSettings,
): Result<ClientSettings, SettingFailure> {
  return key.ok ? ok(settings(key.value)) : key
}

function wrong(detail: string, suggestion?: string) {
  return refuse('CONFIG_INVALID_VALUE', detail, suggestion === undefined ? {} : { suggestion })
}

function invalid(failure: Failure, suggestion = failure.suggestion) {
  return wrong(failure.detail, suggestion)
}

function notYet(why: string) {
  return refuse('CONFIG_UNSUPPORTED_KEY', why)
}
