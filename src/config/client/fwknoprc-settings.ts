/**
 * What a client may be told, under the names of `.fwknoprc`. A flag of the command line is another spelling of one of
 * these (cli/knock/knock-flags.ts), so that a value means the same, and is refused alike, wherever it was written.
 */
import { parseAddress } from '../../packet/address.ts'
import { type DigestType, parseDigestType } from '../../packet/digest-type.ts'
import { parseEncryptionMode } from '../../packet/encryption-mode.ts'
import { EncryptionKey, HmacKey, ProxyPassword, SigningPassphrase } from '../../packet/key.ts'
import { parseKeyBase64, parseKeyText } from '../../packet/key-text.ts'
import { parseNatHost } from '../../packet/nat-target.ts'
import { parseNodeSecret } from '../../packet/node-keys.ts'
import { parseKeyName } from '../../packet/node-name.ts'
import { isUserAgent } from '../../packet/user-agent.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { type Port, parsePort, seconds } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'
import { looseYesNo, protocolPortsValue, wholeNumber } from '../reading/setting-values.ts'
import { parseFingerprints, parseGatewayTarget, parseGatewayUrls } from './gateway-urls.ts'
import { type SettingLayer, TRANSPORTS } from './layer.ts'
import { parseResolveDns, parseResolveUrls } from './own-address-sources.ts'

export type SettingFailure = Failure<'CONFIG_INVALID_VALUE' | 'KEY_INVALID'>

/** Reads the value of one setting. */
type ReadSetting = (value: string) => Result<SettingLayer, SettingFailure>

/** Every name that fwknop's rc file knows, and some of ghostport's own. */
export const clientSettings = {
  SPA_SERVER: (value) => ok({ server: value }),
  SPA_SERVER_PORT: aPort((serverPort) => ({ serverPort, randomPort: false })),
  SPA_SERVER_PROTO: (value) => {
    const word = value.toLowerCase()
    if (word === 'udp') return ok({ transport: 'udp' })
    const transport = TRANSPORTS.find((it) => it === word)
    return transport === undefined
      ? wrong(`“${value}” is not a transport`, nearest(word, [...TRANSPORTS]) ?? 'udp')
      : ok({ transport })
  },
  SPA_SOURCE_PORT: aPort((sourcePort) => ({ sourcePort })),
  RAND_PORT: yesOrNo((randomPort) => ({ randomPort })),
  SERVER_RESOLVE_IPV4: yesOrNo((only) => ({ family: only ? 4 : null })),
  ACCESS: (value) => {
    const access = protocolPortsValue()(value)
    return access.ok ? ok({ access: access.value }) : invalid(access.failure)
  },
  ALLOW_IP: readAllow,
  FW_TIMEOUT: (value) => {
    // fwknopd drops a packet that asks for more, so that asking is pointless.
    const timeout = wholeNumber({ min: 0, max: 65535, unit: 'seconds' })(value)
    return timeout.ok ? ok({ timeout: seconds(timeout.value) }) : invalid(timeout.failure)
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
    if (value.toLowerCase() === 'asymmetric') return ok({ encryptionMode: 'asymmetric' })
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
  VERBOSE: (value) => {
    if (/^[0-4]$/.test(value)) return ok({ verbose: value !== '0' })
    const yes = looseYesNo(value)
    return yes.ok ? ok({ verbose: yes.value }) : wrong(`“${value}” is not Y, N, or a number from 0 to 4`)
  },
  NO_SAVE_ARGS: yesOrNo((noSaveArgs) => ({ noSaveArgs })),

  USE_GPG: yesOrNo((gpg) => ({ gpg })),
  RESOLVE_IP_HTTP: yesOrNo((resolveOwn) => ({ resolveOwn })),
  RESOLVE_IP_HTTPS: yesOrNo((resolveOwn) => ({ resolveOwn })),
  SPOOF_SOURCE_IP: (value) => {
    const address = parseAddress(value)
    if (!address.ok) return invalid(address.failure)
    return ok({ spoofedSource: address.value })
  },

  // How to do what the settings above ask for. By themselves, they ask for nothing.
  USE_GPG_AGENT: yesOrNo((gpgAgent) => ({ gpgAgent })),
  GPG_RECIPIENT: (gpgRecipient) => ok({ gpgRecipient }),
  GPG_SIGNER: (gpgSigner) => ok({ gpgSigner }),
  GPG_HOMEDIR: (gpgHome) => ok({ gpgHome }),
  GPG_EXE: (gpgProgram) => ok({ gpgProgram }),
  GPG_SIGNING_PW: (value) => withKey(parseKeyText(SigningPassphrase, value), (gpgPassphrase) => ({ gpgPassphrase })),
  GPG_SIGNING_PW_BASE64: (value) =>
    withKey(parseKeyBase64(SigningPassphrase, value), (gpgPassphrase) => ({ gpgPassphrase })),
  GPG_NO_SIGNING_PW: yesOrNo((gpgNoPassphrase) => ({ gpgNoPassphrase })),
  HTTP_USER_AGENT: (userAgent) =>
    isUserAgent(userAgent) ? ok({ userAgent }) : wrong('a user agent has 1 to 255 characters of ASCII'),
  USE_WGET_USER_AGENT: yesOrNo((wgetUserAgent) => ({ wgetUserAgent })),
  RESOLVE_URL: (value) => {
    const urls = parseResolveUrls(value)
    return urls.ok ? ok({ resolveUrl: urls.value }) : urls
  },
  RESOLVE_HTTP_ONLY: yesOrNo((resolveHttpOnly) => ({ resolveHttpOnly })),
  WGET_CMD: (wgetCommand) => ok({ wgetCommand }),

  // fwknop has no settings for these.
  HTTP_PROXY: readHttpProxy,
  HTTP_PROXY_USER: (httpProxyUser) =>
    httpProxyUser.includes(':') ? wrong('the user name for a proxy has no colon') : ok({ httpProxyUser }),
  HTTP_PROXY_PASSWORD: (value) =>
    withKey(parseKeyText(ProxyPassword, value), (key) => ({ httpProxyPassword: { key } })),
  HTTP_PROXY_PASSWORD_FILE: (file) => ok({ httpProxyPassword: { file } }),
  HTTPS_CA_FILE: (caFile) => ok({ caFile }),
  GATEWAY: (value) => {
    if (/^n(o|one)?$/i.test(value)) return ok({ gateways: null })
    const gateways = parseGatewayUrls(value)
    return gateways.ok ? ok({ gateways: gateways.value }) : gateways
  },
  GATEWAY_TARGET: (value) => {
    const target = parseGatewayTarget(value)
    return target.ok ? ok({ gatewayTarget: target.value }) : target
  },
  GATEWAY_FINGERPRINT: (value) => {
    const fingerprints = parseFingerprints(value)
    return fingerprints.ok ? ok({ gatewayFingerprints: fingerprints.value }) : fingerprints
  },
  RESOLVE_DNS: (value) => {
    const query = parseResolveDns(value)
    return query.ok ? ok({ resolveDns: query.value }) : query
  },

  // One secret for many servers: fleet-stanzas.ts says which stanza has which.
  FLEET: (value) => ok({ fleet: value }),
  NODE: (value) => {
    const node = parseKeyName(value)
    return node.ok ? ok({ node: node.value }) : invalid(node.failure)
  },
  NODE_SECRET_BASE64: (value) => withKey(parseNodeSecret(value), (nodeSecret) => ({ nodeSecret })),
} as const satisfies Record<string, ReadSetting>

export type ClientSettingName = keyof typeof clientSettings

/** Settings that are read, and that nothing uses yet: they say how to do what is refused. */
export const unusedSettings: ReadonlySet<ClientSettingName> = new Set<ClientSettingName>([
  'USE_WGET_USER_AGENT',
  'WGET_CMD',
  'NO_SAVE_ARGS',
])

/** ghostport's own: the real fwknop refuses a stanza that has one. */
export const ownSettings: ReadonlySet<string> = new Set<ClientSettingName>([
  'HTTP_PROXY',
  'HTTP_PROXY_USER',
  'HTTP_PROXY_PASSWORD',
  'HTTP_PROXY_PASSWORD_FILE',
  'HTTPS_CA_FILE',
  'GATEWAY',
  'GATEWAY_TARGET',
  'GATEWAY_FINGERPRINT',
  'RESOLVE_DNS',
  'FLEET',
  'NODE',
  'NODE_SECRET_BASE64',
])

/** What only an option of the command line can say: fwknop has no setting for it. */
const optionSettings = {
  'icmp-type': (value) => icmpNumber(value, (icmpType) => ({ icmpType })),
  'icmp-code': (value) => icmpNumber(value, (icmpCode) => ({ icmpCode })),
} as const satisfies Record<string, ReadSetting>

export type OptionSettingName = keyof typeof optionSettings

/** Settings whose value is a secret: a file that holds one must be its owner's alone. */
export const secretSettings: ReadonlySet<string> = new Set<ClientSettingName>([
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'GPG_SIGNING_PW',
  'GPG_SIGNING_PW_BASE64',
  'HTTP_PROXY_PASSWORD',
  'NODE_SECRET_BASE64',
])

export function isClientSetting(name: string): name is ClientSettingName {
  return Object.hasOwn(clientSettings, name)
}

/** For a file of the server, into which somebody put the half of the client. */
export function refuseClientName(name: ClientSettingName, at: SourceLocation): Refused<Failure<'CONFIG_UNKNOWN_KEY'>> {
  return refuse('CONFIG_UNKNOWN_KEY', `${name} belongs in ~/.fwknoprc, on the client`, { at })
}

/** Reads the value of one setting. Details name neither the setting nor its line: the caller knows both. */
export function readClientSetting(
  name: ClientSettingName | OptionSettingName,
  value: string,
): Result<SettingLayer, SettingFailure> {
  return isClientSetting(name) ? clientSettings[name](value) : optionSettings[name](value)
}

function readAllow(value: string): Result<SettingLayer, SettingFailure> {
  const word = value.toLowerCase()
  if (word === 'source') return ok({ allow: 'packet-source' })
  if (word === 'resolve') return ok({ allow: null, resolveOwn: true })
  const address = parseAddress(value)
  if (!address.ok) return invalid(address.failure, nearest(word, ['source', 'resolve']))
  return ok({ allow: address.value === '0.0.0.0' || address.value === '::' ? 'packet-source' : address.value })
}

const offsetUnits: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds: 65536 days, the most that fwknop takes. It writes them as seconds, and then cannot read them. */
const MAX_OFFSET = 65_536 * 86_400

/** `90`, `-90`, `5m`, `2hours`. fwknop takes the first of m, h and d that it meets anywhere; here the unit is read. */
function readTimeOffset(value: string): Result<SettingLayer, SettingFailure> {
  const match = /^([+-]?)([0-9]{1,10})(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)?$/i.exec(value)
  const unit = offsetUnits[(match?.[3] ?? 's').charAt(0).toLowerCase()] ?? 1
  const offset = Number(match?.[2]) * unit
  if (match === null || offset > MAX_OFFSET)
    return wrong(`“${value}” is not a time offset of at most 65536 days, such as 90 (seconds), 5m, 2h or -1d`)
  return ok({ timeOffset: match[1] === '-' ? -offset : offset })
}

/** `HOST`, `HOST:PORT`, fwknop's `HOST,PORT`, `[IPV6]:PORT`, or a bare IPv6 address. */
function readNatAccess(value: string): Result<SettingLayer, SettingFailure> {
  const bracketed = /^\[([^\]]*)\](?:[:,](.*))?$/.exec(value)
  const plain = /^([^:,]*)(?:[:,]([^:,]*))?$/.exec(value)
  const [host, portText] = bracketed?.slice(1) ?? plain?.slice(1) ?? [value]
  const target = parseNatHost(host ?? '')
  if (!target.ok) return wrong(`“${value}” is not HOST or HOST:PORT, where HOST is an address or a name`)
  if (portText === undefined) return ok({ natAccess: { host: target.value } })
  const port = parsePort(portText)
  return port.ok ? ok({ natAccess: { host: target.value, port: port.value } }) : invalid(port.failure)
}

/** `http://HOST:PORT`, `HOST:PORT`, `HOST`, with IPv6 in brackets. `N` takes the proxy of a weaker layer back. */
function readHttpProxy(value: string): Result<SettingLayer, SettingFailure> {
  if (/^n(o|one)?$/i.test(value)) return ok({ httpProxy: null })
  const [, scheme = 'http', login, host = '', portText] =
    /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]+))?\/?$/.exec(
      value,
    ) ?? []
  if (scheme.toLowerCase() !== 'http') return wrong('a proxy is asked over plain HTTP', 'http://HOST:PORT')
  // On the command line all users of the host could read it.
  if (login !== undefined || value.includes('@'))
    return wrong('user and password of the proxy have settings of their own', 'HTTP_PROXY_USER and HTTP_PROXY_PASSWORD')
  if (host === '') return wrong(`“${value}” is not a proxy: HOST:PORT, or http://HOST:PORT`)
  const proxy = { host: host.replace(/^\[(.*)\]$/, '$1') }
  if (portText === undefined) return ok({ httpProxy: proxy })
  const port = parsePort(portText)
  return port.ok ? ok({ httpProxy: { ...proxy, port: port.value } }) : invalid(port.failure)
}

function aPort(settings: (port: Port) => SettingLayer): ReadSetting {
  return (value) => {
    const port = parsePort(value)
    return port.ok ? ok(settings(port.value)) : invalid(port.failure)
  }
}

function aDigestType(settings: (type: DigestType) => SettingLayer): ReadSetting {
  return (value) => {
    const type = parseDigestType(value)
    return type.ok ? ok(settings(type.value)) : invalid(type.failure)
  }
}

function yesOrNo(settings: (yes: boolean) => SettingLayer): ReadSetting {
  return (value) => {
    const yes = looseYesNo(value)
    return yes.ok ? ok(settings(yes.value)) : yes
  }
}

function icmpNumber(value: string, settings: (number: number) => SettingLayer): Result<SettingLayer, SettingFailure> {
  const number = wholeNumber({ min: 0, max: 255 })(value)
  return number.ok ? ok(settings(number.value)) : invalid(number.failure)
}

function withKey<Key>(
  key: Result<Key, Failure<'KEY_INVALID'>>,
  settings: (key: Key) => SettingLayer,
): Result<SettingLayer, SettingFailure> {
  return key.ok ? ok(settings(key.value)) : key
}

function wrong(detail: string, suggestion?: string) {
  return refuse('CONFIG_INVALID_VALUE', detail, suggestion === undefined ? {} : { suggestion })
}

function invalid(failure: Failure, suggestion = failure.suggestion) {
  return wrong(failure.detail, suggestion)
}
