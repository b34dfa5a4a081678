/**
 * The flags of `ghostport knock`, which `ssh` and `proxy` share: fwknop's names, long and short. Most are other spellings of
 * a setting of `.fwknoprc`, and read by the same parser.
 */
import { type SettingLayer, Unbuilt } from '../../config/client/layer.ts'
import { type ClientSettingName, readClientSetting } from '../../config/client/settings.ts'
import { DIGEST_TYPES } from '../../packet/digest-type.ts'
import { ENCRYPTION_MODES } from '../../packet/encryption-mode.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { UNKNOWN_BYTES } from '../terminal/arguments.ts'
import type { OptionSpec, OptionTable, OptionValues } from '../terminal/options.ts'

const GPG = 'GnuPG is not built yet; share a key (ghostport keygen)'
const OWN_ADDRESS = 'ghostport asks no web service for your address; use -s, or -a ADDRESS'
const HISTORY = 'no command is kept, since it could hold keys; write a stanza in .fwknoprc'
const RC = 'write the stanza in ~/.fwknoprc yourself'

export const knockOptions = {
  destination: { short: 'D', value: 'HOST', help: 'the server, by name or address' },
  access: {
    short: 'A',
    value: 'PROTO/PORT',
    repeatable: true,
    help: 'what to open: tcp/22, or several: tcp/22,udp/53',
  },
  'allow-ip': { short: 'a', value: 'ADDRESS', help: 'open for this address, IPv4 or IPv6' },
  'source-ip': { short: 's', help: 'open for the address that the packet comes from (takes no value)' },
  'fw-timeout': { short: 'f', value: 'SECONDS', help: 'how long the door stays open; the server may allow less' },
  'server-proto': { short: 'P', value: 'PROTO', help: 'how the packet goes: udp, the only one yet' },
  'server-port': { short: 'p', value: 'PORT', help: 'where the packet goes (default 62201)' },
  'rand-port': { short: 'r', help: 'send to a random port from 10000 to 65534; the server must watch them all' },
  'source-port': { short: 'S', value: 'PORT', help: 'send from this port' },
  ipv4: { short: '4', aliases: ['server-resolve-ipv4'], help: 'only to IPv4 addresses of the server' },
  ipv6: { short: '6', help: 'only to IPv6 addresses of the server' },
  'nat-access': { short: 'N', value: 'HOST[:PORT]', help: 'lead to this host behind the server; IPv6 as [::1]:22' },
  'nat-local': { help: 'a ghost service: lead the public port (--nat-port) to the -A port of the server itself' },
  'nat-port': { value: 'PORT', help: 'the public port, with -N or --nat-local (default: the -A port)' },
  'nat-rand-port': { help: 'a random public port from 10000 to 65534, which is printed' },
  'server-cmd': { short: 'C', value: 'COMMAND', help: 'have the server run this, in place of -A' },
  'named-config': { short: 'n', value: 'STANZA', help: 'take [STANZA] of the rc file, over its [default]' },
  'rc-file': { value: 'FILE', help: 'read FILE in place of ~/.fwknoprc' },
  'no-rc-file': { help: 'read no rc file' },
  'no-home-dir': { help: 'do not look for an rc file in the home directory: read none, or the one of --rc-file' },
  'get-key': { short: 'G', value: 'FILE', help: 'the encryption key is in FILE, in a line “HOST: KEY”' },
  'get-hmac-key': { value: 'FILE', help: 'the HMAC key is in FILE, in a line “HOST: KEY”' },
  'key-base64-rijndael': {
    value: 'BASE64',
    help: 'the encryption key. For a moment every user of this host can see it: the rc file is safer',
  },
  'key-rijndael': { value: 'TEXT', help: 'the same, as text' },
  'key-base64-hmac': { value: 'BASE64', help: 'the HMAC key; the same warning' },
  'key-hmac': { value: 'TEXT', help: 'the same, as text' },
  'use-hmac': { help: 'ask for an HMAC key where none is given' },
  stdin: { help: 'read missing keys from standard input, a line each: encryption key, then HMAC key' },
  fd: { value: 'NUMBER', help: 'read them from this descriptor' },
  'hmac-digest-type': { value: 'DIGEST', help: `the digest of the HMAC: ${DIGEST_TYPES.join(' ')} (default sha256)` },
  'digest-type': { short: 'm', value: 'DIGEST', help: 'the digest of the message, one of the same' },
  'encryption-mode': { short: 'M', value: 'MODE', help: `${ENCRYPTION_MODES.join(' ')} (default CBC)` },
  'spoof-user': { short: 'U', value: 'NAME', help: 'the user name in the packet (default: yours)' },
  'time-offset-plus': { value: 'TIME', help: 'date the packet later than this host’s clock: 90, 5m, 2h, 1d' },
  'time-offset-minus': { value: 'TIME', help: 'date the packet earlier than this host’s clock' },
  verbose: { short: 'v', repeatable: true, help: 'say more' },

  'gpg-encryption': { short: 'g', unsupported: GPG },
  'gpg-recipient-key': { value: 'ID', unsupported: GPG },
  'gpg-signer-key': { value: 'ID', unsupported: GPG },
  'gpg-home-dir': { value: 'DIR', unsupported: GPG },
  'gpg-exe': { value: 'FILE', unsupported: GPG },
  'gpg-agent': { unsupported: GPG },
  'gpg-no-signing-pw': { unsupported: GPG },
  'resolve-ip-https': {
    short: 'R',
    aliases: ['resolve-ip-http', 'resolve-http-only'],
    unsupported: OWN_ADDRESS,
    judgedLater: true,
  },
  'http-proxy': { short: 'H', value: 'HOST', unsupported: 'packets go by UDP' },
  'spoof-source': {
    short: 'Q',
    aliases: ['spoof-src'],
    value: 'ADDRESS',
    unsupported: 'packets leave from your address',
  },
  'icmp-type': { value: 'NUMBER', unsupported: 'packets go by UDP' },
  'icmp-code': { value: 'NUMBER', unsupported: 'packets go by UDP' },
  'key-gen': { short: 'k', unsupported: 'use “ghostport keygen”' },
  'key-gen-file': { short: 'K', value: 'FILE', unsupported: 'use “ghostport keygen -K FILE”' },
  'key-len': { value: 'BYTES', unsupported: 'use “ghostport keygen --key-len”' },
  'hmac-key-len': { value: 'BYTES', unsupported: 'use “ghostport keygen --hmac-key-len”' },
  'save-rc-stanza': { unsupported: RC },
  'force-stanza': { unsupported: RC },
  'stanza-list': { unsupported: 'look into the rc file' },
  'last-cmd': { short: 'l', unsupported: HISTORY },
  'show-last': { unsupported: HISTORY },
  'save-args-file': { short: 'E', value: 'FILE', unsupported: HISTORY },
  'save-packet': { short: 'B', value: 'FILE', unsupported: 'use -T --json, whose “packet” is the wire text' },
  'save-packet-append': { short: 'b', unsupported: 'use -T --json' },
  'fault-injection-tag': { value: 'TAG', unsupported: 'it is for fwknop’s own tests' },
  // Asked for by fwknop's users, and always so here.
  'no-save-args': {},
  // How to do what ghostport does not do. By themselves, they ask for nothing.
  'resolve-url': { value: 'URL' },
  'wget-cmd': { short: 'w', value: 'FILE' },
  'use-wget-user-agent': {},
  'user-agent': { short: 'u', value: 'TEXT' },
} as const satisfies OptionTable

export type KnockOptionValues = OptionValues<typeof knockOptions>

/** Flags with a value that a setting understands as it is. */
const settingsOf: Readonly<Partial<Record<keyof typeof knockOptions, ClientSettingName>>> = {
  destination: 'SPA_SERVER',
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

/** `-R` counts only where neither flags nor rc file name an address. */
const NO_RESOLVER = new Unbuilt(
  refuse('CLI_USAGE', `--resolve-ip-https (-R) is fwknop's and not supported yet: ${OWN_ADDRESS}`).failure,
)

/** Flags that answer the same question: giving two is a mistake, not a matter of which comes last. */
const rivals: readonly (readonly (keyof typeof knockOptions)[])[] = [
  ['allow-ip', 'source-ip'],
  ['server-port', 'rand-port'],
  ['nat-port', 'nat-rand-port'],
  ['ipv4', 'ipv6'],
  ['rc-file', 'no-rc-file'],
  ['named-config', 'no-rc-file'],
  ['time-offset-plus', 'time-offset-minus'],
  ['get-key', 'key-base64-rijndael', 'key-rijndael'],
  ['get-hmac-key', 'key-base64-hmac', 'key-hmac'],
  ['stdin', 'fd'],
]

/** @returns what the flags say, to be laid over the rc file's settings; or the flag that cannot be understood. */
export function settingsFromOptions(given: KnockOptionValues): Result<SettingLayer, Failure> {
  for (const group of rivals) {
    const both = group.filter((name) => isGiven(given[name]))
    if (both.length > 1) return refuse('CLI_USAGE', `${both.map(spelled).join(' and ')} cannot be used together`)
  }

  let settings: SettingLayer = {
    ...(given['source-ip'] > 0 ? { allow: 'packet-source' } : {}),
    ...(given['rand-port'] > 0 ? { randomPort: true } : {}),
    ...(given.ipv4 > 0 ? { family: 4 } : given.ipv6 > 0 ? { family: 6 } : {}),
    ...(given['nat-local'] > 0 ? { natLocal: true } : {}),
    ...(given['nat-rand-port'] > 0 ? { natRandomPort: true } : {}),
    ...(given['use-hmac'] > 0 ? { useHmac: true } : {}),
    ...(given.verbose > 0 ? { verbose: true } : {}),
    ...(given['resolve-ip-https'] > 0 ? { resolveHttps: NO_RESOLVER } : {}),
  }
  for (const { flag, name, value } of spellings(given)) {
    if ((name === 'KEY' || name === 'HMAC_KEY') && value.includes(UNKNOWN_BYTES))
      return refuse('KEY_INVALID', `--${flag}: the key is not UTF-8, and this system does not tell its bytes`, {
        suggestion: `write it into a file, for --${name === 'KEY' ? 'get-key' : 'get-hmac-key'}`,
      })
    const read = readClientSetting(name, value)
    if (!read.ok) {
      const code = read.failure.code === 'KEY_INVALID' ? 'KEY_INVALID' : 'VALUE_INVALID'
      return { ok: false, failure: { ...read.failure, code, detail: `--${flag}: ${read.failure.detail}` } }
    }
    // Nothing is laid over a flag.
    const unbuilt = Object.values(read.value).find((it) => it instanceof Unbuilt)
    if (unbuilt !== undefined)
      return refuse('VALUE_INVALID', `--${flag}: ${unbuilt.failure.detail}`, hintOf(unbuilt.failure))
    settings = { ...settings, ...read.value }
  }
  return ok(settings)
}

/** `--allow-ip (-a)`: whichever of the two was typed, it is found again. */
function spelled(name: keyof typeof knockOptions): string {
  const { short }: OptionSpec = knockOptions[name]
  return short === undefined ? `--${name}` : `--${name} (-${short})`
}

function hintOf({ suggestion }: Failure): { suggestion?: string } {
  return suggestion === undefined ? {} : { suggestion }
}

interface Spelling {
  readonly flag: string
  readonly name: ClientSettingName
  readonly value: string
}

function spellings(given: KnockOptionValues): readonly Spelling[] {
  const found: Spelling[] = []
  for (const [flag, name] of Object.entries(settingsOf)) {
    const value = given[flag as keyof KnockOptionValues]
    if (typeof value === 'string') found.push({ flag, name, value })
  }
  if (given.access.length > 0) found.push({ flag: 'access', name: 'ACCESS', value: given.access.join(',') })
  // `source` and `resolve` are the rc file's words; on the command line they have flags of their own.
  const allow = given['allow-ip']
  if (allow !== undefined) found.push({ flag: 'allow-ip', name: 'ALLOW_IP', value: allow })
  for (const [flag, sign] of [
    ['time-offset-plus', ''],
    ['time-offset-minus', '-'],
  ] as const) {
    const value = given[flag]
    if (value !== undefined) found.push({ flag, name: 'TIME_OFFSET', value: sign + value })
  }
  return found
}

function isGiven(value: number | string | undefined | readonly string[]): boolean {
  return typeof value === 'number' ? value > 0 : value !== undefined && value.length > 0
}
