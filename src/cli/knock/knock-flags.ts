/**
 * The flags of `ghostport knock`, which `ssh` and `proxy` share: fwknop's names, long and short. What they mean is in
 * client/plan-options.ts, under the long names.
 */
import { type PlanOptions, refuseTogether, rivalsAmong } from '../../client/plan-options.ts'
import { type SettingLayer, TRANSPORTS } from '../../config/client/layer.ts'
import { DEFAULT_DIGEST_TYPE, DIGEST_TYPES } from '../../packet/digest-type.ts'
import { DEFAULT_ENCRYPTION_MODE, ENCRYPTION_MODES } from '../../packet/encryption-mode.ts'
import { STANDARD_SPA_PORT } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { UNKNOWN_BYTES } from '../terminal/command-line-words.ts'
import type { OptionTable, OptionValues } from '../terminal/parse-command-line.ts'

const HISTORY = '“ghostport knock” saves no command line; “fwknop” does'
const RC = 'use “fwknop --save-rc-stanza”'

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
  'fw-timeout': { short: 'f', value: 'SECONDS', help: 'how long the port stays open; the server may allow less' },
  'server-proto': { short: 'P', value: 'PROTO', help: `how the packet is sent: ${TRANSPORTS.join(' ')} (default udp)` },
  'server-port': {
    short: 'p',
    value: 'PORT',
    help: `the port to which the packet is sent (default ${STANDARD_SPA_PORT}; with https 443)`,
  },
  'rand-port': { short: 'r', help: 'send to a random port from 10000 to 65534; the server must watch them all' },
  'source-port': { short: 'S', value: 'PORT', help: 'send from this port' },
  ipv4: { short: '4', aliases: ['server-resolve-ipv4'], help: 'only to IPv4 addresses of the server' },
  ipv6: { short: '6', help: 'only to IPv6 addresses of the server' },
  'nat-access': { short: 'N', value: 'HOST[:PORT]', help: 'forward to this host behind the server; IPv6 as [::1]:22' },
  'nat-local': { help: 'a ghost service: forward the public port (--nat-port) to the -A port of the server itself' },
  'nat-port': { value: 'PORT', help: 'the public port, with -N or --nat-local (default: the -A port)' },
  'nat-rand-port': { help: 'a random public port from 10000 to 65534, which is printed' },
  'server-cmd': { short: 'C', value: 'COMMAND', help: 'a command for the server to run, instead of -A' },
  'named-config': { short: 'n', value: 'STANZA', help: 'use [STANZA] of the rc file; it overrides [default]' },
  'rc-file': { value: 'FILE', help: 'read FILE instead of ~/.fwknoprc' },
  'no-rc-file': { help: 'read no rc file' },
  'no-home-dir': { help: 'do not look for an rc file in the home directory: read none, or the one of --rc-file' },
  'get-key': {
    short: 'G',
    value: 'FILE',
    help: 'the encryption key is in FILE, in a line “HOST: KEY”; with GnuPG, the passphrase of your key',
  },
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
  fd: { value: 'NUMBER', help: 'read missing keys from this file descriptor' },
  'hmac-digest-type': {
    value: 'DIGEST',
    help: `the digest of the HMAC: ${DIGEST_TYPES.join(' ')} (default ${DEFAULT_DIGEST_TYPE})`,
  },
  'digest-type': { short: 'm', value: 'DIGEST', help: 'the digest of the message: the same choices' },
  'encryption-mode': {
    short: 'M',
    value: 'MODE',
    help: `${ENCRYPTION_MODES.join(' ')} (default ${DEFAULT_ENCRYPTION_MODE}), or asymmetric: GnuPG`,
  },
  'gpg-encryption': { short: 'g', help: 'encrypt by GnuPG; each of the gpg options implies it' },
  'gpg-recipient-key': { value: 'ID', help: 'the GnuPG key of the server, to encrypt to' },
  'gpg-signer-key': { value: 'ID', help: 'your own GnuPG key, to sign with' },
  'gpg-home-dir': { value: 'DIR', help: 'the folder of the GnuPG keyring (default ~/.gnupg)' },
  'gpg-exe': { value: 'FILE', help: 'the program gpg (default /usr/bin/gpg)' },
  'gpg-agent': { help: 'gpg-agent has the passphrase of your key, or asks for it' },
  'gpg-no-signing-pw': { help: 'your key has no passphrase' },
  'spoof-user': { short: 'U', value: 'NAME', help: 'the user name in the packet (default: yours)' },
  'time-offset-plus': { value: 'TIME', help: 'date the packet later than this host’s clock: 90, 5m, 2h, 1d' },
  'time-offset-minus': { value: 'TIME', help: 'date the packet earlier than this host’s clock' },
  verbose: { short: 'v', repeatable: true, help: 'say more' },

  'resolve-ip-https': {
    short: 'R',
    aliases: ['resolve-ip-http'],
    help: 'open for your own address, as web services see it. docs/CLIENT.md says who is asked, and what they learn',
  },
  'resolve-http-only': { help: 'the same, over HTTP without TLS: an attacker on the way can choose the address' },
  'resolve-url': { value: 'URL', help: 'ask this web service, or several, with commas between them' },
  'resolve-dns': {
    value: 'NAME@SERVER',
    help: 'ask this DNS server, for this name. An attacker on the way can choose the address',
  },
  'user-agent': { short: 'u', value: 'TEXT', help: 'the user agent of HTTP requests (default Fwknop/2.6.10)' },
  'http-proxy': {
    short: 'H',
    value: 'HOST[:PORT]',
    help: 'send by HTTP, or with -P https by HTTPS, through this proxy: http://HOST:PORT, or HOST:PORT',
  },
  'spoof-source': {
    short: 'Q',
    aliases: ['spoof-src'],
    value: 'ADDRESS',
    help: 'the source address in the packet, with -P udpraw, tcpraw or icmp (root)',
  },
  'icmp-type': { value: 'NUMBER', help: 'with -P icmp (default: that of an echo reply)' },
  'icmp-code': { value: 'NUMBER', help: 'with -P icmp (default 0)' },
  'http-proxy-user': { value: 'NAME', help: 'the user name for the proxy' },
  'http-proxy-password-file': { value: 'FILE', help: 'the password for the proxy is the first line of FILE' },
  'https-ca-file': { value: 'FILE', help: 'for HTTPS, trust also the authorities whose certificates are in FILE' },
  gateway: {
    value: 'URL',
    help: 'send by HTTPS through this gateway (docs/GATEWAY.md); of several, with commas, the first that takes the packet',
  },
  'gateway-target': { value: 'ID', help: 'the id of the server at the gateway' },
  'gateway-fingerprint': {
    value: 'SHA256',
    help: 'trust the gateway by this fingerprint of its certificate; of several, with commas, in their order',
  },
  'key-gen': { short: 'k', unsupported: 'use “ghostport keygen”' },
  'key-gen-file': { short: 'K', value: 'FILE', unsupported: 'use “ghostport keygen -K FILE”' },
  'key-len': { value: 'BYTES', unsupported: 'use “ghostport keygen --key-len”' },
  'hmac-key-len': { value: 'BYTES', unsupported: 'use “ghostport keygen --hmac-key-len”' },
  'save-rc-stanza': { unsupported: RC },
  'force-stanza': { unsupported: RC },
  'stanza-list': { unsupported: 'use “ghostport knock --stanza-list”' },
  'last-cmd': { short: 'l', unsupported: HISTORY },
  'show-last': { unsupported: HISTORY },
  'save-args-file': { short: 'E', value: 'FILE', unsupported: HISTORY },
  'save-packet': { short: 'B', value: 'FILE', unsupported: 'use “ghostport knock --save-packet”' },
  'save-packet-append': { short: 'b', unsupported: 'use “ghostport knock --save-packet-append”' },
  'fault-injection-tag': { value: 'TAG', unsupported: 'it is for fwknop’s own tests' },
  // Asked for by fwknop's users, and always so here.
  'no-save-args': {},
  // How to use wget, which ghostport does not use. By themselves, they ask for nothing.
  'wget-cmd': { short: 'w', value: 'FILE' },
  'use-wget-user-agent': {},
} as const satisfies OptionTable

export type KnockOptionValues = OptionValues<typeof knockOptions>

/** What flags say of a knock. */
export interface KnockFlags {
  readonly options: PlanOptions
  /** What the flags say besides, over all that the options say. */
  readonly besides: SettingLayer
}

/**
 * @returns the flags as options of a knock; `CLI_USAGE` where two contradict each other; `KEY_INVALID` for a key of
 * which the system does not tell the bytes.
 */
export function knockFlags(given: KnockOptionValues): Result<KnockFlags, Failure<'KEY_INVALID' | 'CLI_USAGE'>> {
  const values = Object.entries(given).map(([name, value]) => [name, typeof value === 'number' ? value > 0 : value])
  // The names are those of the options; those that client/plan-options.ts does not know are not read there.
  const options = Object.fromEntries(values.filter(([, value]) => value !== undefined)) as PlanOptions
  const both =
    rivalsAmong(options) ?? (given.stdin > 0 && given.fd !== undefined ? (['stdin', 'fd'] as const) : undefined)
  if (both !== undefined) return refuseTogether(both.map(spelled))
  for (const [flag, other] of [
    ['key-rijndael', 'get-key'],
    ['key-hmac', 'get-hmac-key'],
  ] as const)
    if (given[flag]?.includes(UNKNOWN_BYTES) === true)
      return refuse('KEY_INVALID', `--${flag}: the key is not UTF-8, and this system does not tell its bytes`, {
        suggestion: `write it into a file, for --${other}`,
      })
  const besides: SettingLayer = {
    ...(given.verbose > 0 ? { verbose: true } : {}),
  }
  return ok({ options, besides })
}

/** `--allow-ip (-a)`: it is found again under either name. */
function spelled(name: string): string {
  const table: OptionTable = knockOptions
  const short = table[name]?.short
  return short === undefined ? `--${name}` : `--${name} (-${short})`
}
