/**
 * The options of a knock, under the long names of `ghostport knock`. Most are another spelling of a setting of
 * `.fwknoprc` and use the same parser. Messages name an option as the command line does: `--nat-port`.
 */

import {
  type ClientSettingName,
  type OptionSettingName,
  readClientSetting,
  type SettingFailure,
} from '../config/client/fwknoprc-settings.ts'
import type { SettingLayer } from '../config/client/layer.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** A number, or its digits as text. */
export type NumberOrText = number | string

/**
 * What is asked for, from which server, and with which keys. An absent option comes from the rc file, or has the
 * default of docs/CLIENT.md.
 */
export interface PlanOptions {
  /** The server: a name or an IP address. */
  readonly destination?: string
  /** What to open: `tcp/22`, or several: `tcp/22,udp/53` or `['tcp/22', 'udp/53']`. */
  readonly access?: string | readonly string[]
  /** Open for this IP address. */
  readonly 'allow-ip'?: string
  /** Open for the address that the packet comes from. */
  readonly 'source-ip'?: boolean
  /** Find the address of this host, and open for it. Has no effect beside `allow-ip` and `source-ip`. */
  readonly 'resolve-ip-https'?: boolean
  /** The same, over HTTP without TLS. */
  readonly 'resolve-http-only'?: boolean
  /** The same, by the service at this URL, or at several, with commas between them. */
  readonly 'resolve-url'?: string
  /** The same, by a DNS query, which nothing authenticates: `NAME@SERVER`. */
  readonly 'resolve-dns'?: string
  /** How long the port stays open, in seconds, 0 to 65535. The server may allow less. 0: the server decides. */
  readonly 'fw-timeout'?: NumberOrText
  /** How the packet goes: `udp` (default), `tcp`, `http`, `https`, `udpraw`, `tcpraw` or `icmp`. */
  readonly 'server-proto'?: string
  /** Send by HTTP, through this proxy: `http://HOST:PORT`, or `HOST:PORT`. */
  readonly 'http-proxy'?: string
  /** The user name for the proxy. */
  readonly 'http-proxy-user'?: string
  /** A file whose first line is the password for the proxy. */
  readonly 'http-proxy-password-file'?: string
  /** The password for the proxy. */
  readonly 'http-proxy-password'?: string
  /** For HTTPS: a file with the certificates of further authorities to trust, as PEM. */
  readonly 'https-ca-file'?: string
  /** Send by HTTPS through this gateway: `https://gate.example`. Of several, with commas: the first that takes it. */
  readonly gateway?: string
  /** The id of the server at the gateway. */
  readonly 'gateway-target'?: string
  /** SHA-256 of the certificate of each gateway, in their order: trust this one, and no other. */
  readonly 'gateway-fingerprint'?: string
  /** The `User-Agent` of requests by HTTP. */
  readonly 'user-agent'?: string
  /** The source address in the IP header of the packet. */
  readonly 'spoof-source'?: string
  /** The type of an ICMP packet, 0 to 255. */
  readonly 'icmp-type'?: NumberOrText
  /** The code of an ICMP packet, 0 to 255. */
  readonly 'icmp-code'?: NumberOrText
  /** The port that the packet goes to, 1 to 65535 (default 62201; with `https` 443). */
  readonly 'server-port'?: NumberOrText
  /** Send to a random port from 10000 to 65534. The server must watch them all. */
  readonly 'rand-port'?: boolean
  /** The port to send from, 1 to 65535. */
  readonly 'source-port'?: NumberOrText
  /** Only to IPv4 addresses of the server. */
  readonly ipv4?: boolean
  /** Only to IPv6 addresses of the server. */
  readonly ipv6?: boolean
  /** Forward to this host behind the server: `HOST`, `HOST:PORT`, `[IPV6]:PORT`. */
  readonly 'nat-access'?: string
  /** A ghost service: the public port (`nat-port`) leads to the `access` port of the server itself. */
  readonly 'nat-local'?: boolean
  /** The public port, with `nat-access` or `nat-local`, 1 to 65535. */
  readonly 'nat-port'?: NumberOrText
  /** A random public port from 10000 to 65534. */
  readonly 'nat-rand-port'?: boolean
  /** A command for the server to run, in place of `access`. */
  readonly 'server-cmd'?: string
  /** Close what the same settings opened, before its time. fwknopd refuses it. */
  readonly close?: boolean
  /** Use this stanza of the rc file, on top of its `[default]`. */
  readonly 'named-config'?: string
  /** Read this file in place of `~/.fwknoprc`. */
  readonly 'rc-file'?: string
  /** Read no rc file. */
  readonly 'no-rc-file'?: boolean
  /** Do not look for an rc file in the home directory. The file of `rc-file` is still read. */
  readonly 'no-home-dir'?: boolean
  /** A file with the encryption key in a line `HOST: KEY`. With GnuPG, the passphrase of the signer's key is in it. */
  readonly 'get-key'?: string
  /** A file with the HMAC key in a line `HOST: KEY`. */
  readonly 'get-hmac-key'?: string
  /** The encryption key in base64, 1 to 32 bytes of it. */
  readonly 'key-base64-rijndael'?: string
  /** The encryption key as text, which is used as UTF-8, or as bytes. 1 to 32 bytes. */
  readonly 'key-rijndael'?: string | Uint8Array
  /** The HMAC key in base64, 1 to 136 bytes of it. */
  readonly 'key-base64-hmac'?: string
  /** The HMAC key as text, which is used as UTF-8, or as bytes. 1 to 136 bytes. */
  readonly 'key-hmac'?: string | Uint8Array
  /** Ask for an HMAC key where none is given. */
  readonly 'use-hmac'?: boolean
  /** The digest of the HMAC (default sha256). */
  readonly 'hmac-digest-type'?: string
  /** The digest of the message (default sha256). */
  readonly 'digest-type'?: string
  /** The mode of the cipher (default CBC). */
  readonly 'encryption-mode'?: string
  /** Encrypt by GnuPG. */
  readonly 'gpg-encryption'?: boolean
  /** The key to encrypt to. This and the options below imply `gpg-encryption`. */
  readonly 'gpg-recipient-key'?: string
  /** The key to sign with. */
  readonly 'gpg-signer-key'?: string
  /** The folder of the keyring. */
  readonly 'gpg-home-dir'?: string
  /** The program. */
  readonly 'gpg-exe'?: string
  /** The agent has the passphrase of the signer's key. */
  readonly 'gpg-agent'?: boolean
  /** The signer's key has no passphrase. */
  readonly 'gpg-no-signing-pw'?: boolean
  /**
   * The user name in the packet. Default: `SPOOF_USER` or `LOGNAME` of the environment, or the user of this process.
   */
  readonly 'spoof-user'?: string
  /** Date the packet later than this host's clock: seconds, or `5m`, `2h`, `1d`. */
  readonly 'time-offset-plus'?: NumberOrText
  /** Date the packet earlier than this host's clock. */
  readonly 'time-offset-minus'?: NumberOrText
}

/** Options whose value a setting accepts unchanged. */
const settingsOf: Readonly<Partial<Record<keyof PlanOptions, ClientSettingName | OptionSettingName>>> = {
  destination: 'SPA_SERVER',
  'resolve-url': 'RESOLVE_URL',
  'resolve-dns': 'RESOLVE_DNS',
  'http-proxy': 'HTTP_PROXY',
  'http-proxy-user': 'HTTP_PROXY_USER',
  'http-proxy-password-file': 'HTTP_PROXY_PASSWORD_FILE',
  'http-proxy-password': 'HTTP_PROXY_PASSWORD',
  'https-ca-file': 'HTTPS_CA_FILE',
  gateway: 'GATEWAY',
  'gateway-target': 'GATEWAY_TARGET',
  'gateway-fingerprint': 'GATEWAY_FINGERPRINT',
  'user-agent': 'HTTP_USER_AGENT',
  'spoof-source': 'SPOOF_SOURCE_IP',
  'icmp-type': 'icmp-type',
  'icmp-code': 'icmp-code',
  'gpg-recipient-key': 'GPG_RECIPIENT',
  'gpg-signer-key': 'GPG_SIGNER',
  'gpg-home-dir': 'GPG_HOMEDIR',
  'gpg-exe': 'GPG_EXE',
  'fw-timeout': 'FW_TIMEOUT',
  'server-proto': 'SPA_SERVER_PROTO',
  'server-port': 'SPA_SERVER_PORT',
  'source-port': 'SPA_SOURCE_PORT',
  'nat-access': 'NAT_ACCESS',
  'nat-port': 'NAT_PORT',
  'get-key': 'KEY_FILE',
  'get-hmac-key': 'HMAC_KEY_FILE',
  'key-base64-rijndael': 'KEY_BASE64',
  'key-rijndael': 'KEY',
  'key-base64-hmac': 'HMAC_KEY_BASE64',
  'key-hmac': 'HMAC_KEY',
  'hmac-digest-type': 'HMAC_DIGEST_TYPE',
  'digest-type': 'DIGEST_TYPE',
  'encryption-mode': 'ENCRYPTION_MODE',
  'spoof-user': 'SPOOF_USER',
}

/** Options that answer the same question. Two of them together are refused; the last one does not win. */
const rivals: readonly (readonly (keyof PlanOptions)[])[] = [
  ['allow-ip', 'source-ip'],
  ['close', 'server-cmd'],
  ['server-port', 'rand-port'],
  ['nat-port', 'nat-rand-port'],
  ['ipv4', 'ipv6'],
  ['rc-file', 'no-rc-file'],
  ['named-config', 'no-rc-file'],
  ['time-offset-plus', 'time-offset-minus'],
  ['get-key', 'key-base64-rijndael', 'key-rijndael'],
  ['get-hmac-key', 'key-base64-hmac', 'key-hmac'],
  ['http-proxy-password-file', 'http-proxy-password'],
]

/** Options that each ask for the address of this host. */
const resolving = ['resolve-ip-https', 'resolve-http-only', 'resolve-url', 'resolve-dns'] as const
/** Options that each ask for GnuPG, as in fwknop. */
const usingGpg = [
  'gpg-encryption',
  'gpg-recipient-key',
  'gpg-signer-key',
  'gpg-home-dir',
  'gpg-exe',
  'gpg-agent',
  'gpg-no-signing-pw',
] as const

/** Flags that say `Y` to a setting. */
const switches: Readonly<Partial<Record<keyof PlanOptions, ClientSettingName>>> = {
  'rand-port': 'RAND_PORT',
  'nat-local': 'NAT_LOCAL',
  'nat-rand-port': 'NAT_RAND_PORT',
  'use-hmac': 'USE_HMAC',
  'resolve-http-only': 'RESOLVE_HTTP_ONLY',
  'gpg-agent': 'USE_GPG_AGENT',
  'gpg-no-signing-pw': 'GPG_NO_SIGNING_PW',
}

/**
 * @returns what the options say, to override the rc file's settings; or the option that cannot be understood.
 */
export function settingsFromOptions(given: PlanOptions): Result<SettingLayer, Failure> {
  const both = rivalsAmong(given)
  if (both !== undefined) return refuseTogether(both.map((name) => `--${name}`))

  let settings: SettingLayer = {
    ...(given['source-ip'] === true ? { allow: 'packet-source' } : {}),
    ...(given.ipv4 === true ? { family: 4 } : given.ipv6 === true ? { family: 6 } : {}),
  }
  for (const { option, name, value } of spellings(given)) {
    const read = typeof value === 'string' ? readClientSetting(name, value) : readKeyBytes(name, value)
    if (!read.ok) {
      const code = read.failure.code === 'KEY_INVALID' ? 'KEY_INVALID' : 'VALUE_INVALID'
      return { ok: false, failure: { ...read.failure, code, detail: `--${option}: ${read.failure.detail}` } }
    }
    settings = { ...settings, ...read.value }
  }
  // As in fwknop: a proxy on the command line asks for HTTP.
  if (isGiven(given['http-proxy']) && !isGiven(given['server-proto'])) settings = { ...settings, transport: 'http' }
  // An option overrides the ALLOW_IP of the rc file. Among options, a named address counts.
  const named = given['allow-ip'] !== undefined || given['source-ip'] === true
  if (!named && resolving.some((name) => isGiven(given[name]))) settings = { ...settings, allow: null }
  return ok(settings)
}

/** @returns options that contradict each other. */
export function rivalsAmong(given: PlanOptions): readonly (keyof PlanOptions)[] | undefined {
  const groups = rivals.map((group) => group.filter((name) => isGiven(given[name])))
  return groups.find((group) => group.length > 1)
}

/** @param names as the message shows them. */
export function refuseTogether(names: readonly string[]) {
  return refuse('CLI_USAGE', `${names.join(' and ')} cannot be used together`)
}

interface Spelling {
  readonly option: string
  readonly name: ClientSettingName | OptionSettingName
  readonly value: string | Uint8Array
}

function spellings(given: PlanOptions): readonly Spelling[] {
  const found: Spelling[] = []
  const gpg = usingGpg.find((name) => isGiven(given[name]))
  if (gpg !== undefined) found.push({ option: gpg, name: 'USE_GPG', value: 'Y' })
  const resolve = resolving.find((name) => isGiven(given[name]))
  if (resolve !== undefined) found.push({ option: resolve, name: 'RESOLVE_IP_HTTPS', value: 'Y' })
  for (const [option, name] of Object.entries(switches))
    if (given[option as keyof PlanOptions] === true) found.push({ option, name, value: 'Y' })
  for (const [option, name] of Object.entries(settingsOf)) {
    const value = given[option as keyof PlanOptions]
    if (typeof value === 'string' || value instanceof Uint8Array) found.push({ option, name, value })
    else if (typeof value === 'number') found.push({ option, name, value: String(value) })
  }
  if (isGiven(given.access)) found.push({ option: 'access', name: 'ACCESS', value: [given.access].flat().join(',') })
  // `source` and `resolve` are words of the rc file. Other options express them.
  const allow = given['allow-ip']
  if (allow !== undefined) found.push({ option: 'allow-ip', name: 'ALLOW_IP', value: allow })
  for (const [option, sign] of [
    ['time-offset-plus', ''],
    ['time-offset-minus', '-'],
  ] as const) {
    const value = given[option]
    if (value !== undefined) found.push({ option, name: 'TIME_OFFSET', value: `${sign}${value}` })
  }
  return found
}

function readKeyBytes(name: Spelling['name'], bytes: Uint8Array): Result<SettingLayer, SettingFailure> {
  if (name === 'KEY') {
    const key = EncryptionKey.fromBytes(bytes)
    return key.ok ? ok({ encryptionKey: { key: key.value } }) : key
  }
  const key = HmacKey.fromBytes(bytes)
  return key.ok ? ok({ hmacKey: { key: key.value } }) : key
}

function isGiven(value: PlanOptions[keyof PlanOptions]): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
}
