/**
 * The options of `fwknop`: fwknop's own, long and short, the names of 1.9.12 that old scripts use, and one of ours. Any
 * long option that is added here can make a beginning ambiguous that scripts use (`--save-a`).
 */
import { knockOptions } from '../knock/knock-flags.ts'
import type { GetoptLine } from '../terminal/getopt.ts'
import type { OptionSpec } from '../terminal/parse-command-line.ts'

const {
  ipv4,
  ipv6,
  access,
  verbose,
  // fwknop takes “--http” for --http-proxy. The rc file has settings for these.
  'http-proxy-user': proxyUser,
  'http-proxy-password-file': proxyPasswordFile,
  'https-ca-file': authorities,
  'resolve-dns': dns,
  ...shared
} = knockOptions

/** Those that the knock of `ghostport` refuses, and this one understands. */
const own = {
  access: { short: 'A', value: 'PROTO/PORT', help: 'what to open: tcp/22, or several: tcp/22,udp/53' },
  'server-resolve-ipv4': { help: 'only to IPv4 addresses of the server' },
  verbose: { short: 'v', help: 'show the packet and its fields; may be given several times' },
  test: { short: 'T', help: 'make the packet, show it, decrypt it again, and send nothing' },
  'save-rc-stanza': { help: 'write the options of this command line into the stanza of -n, else into that of -D' },
  'force-stanza': { help: 'with --save-rc-stanza: replace keys without a question' },
  'stanza-list': { help: 'list the stanzas of the rc file' },
  'last-cmd': { short: 'l', help: 'run the saved command line again' },
  'show-last': { help: 'show the saved command line' },
  'save-args-file': { short: 'E', value: 'FILE', help: 'where the command line is saved (default ~/.fwknop.run)' },
  'no-save-args': { help: 'do not save the command line' },
  'include-keys': { help: 'save the command line with its keys. By default, options with keys are left out' },
  'save-packet': { short: 'B', value: 'FILE', help: 'write the packet into FILE, which is replaced' },
  'save-packet-append': { short: 'b', help: 'with -B: add the packet to the end of FILE' },
  'key-gen': { short: 'k', help: 'make an encryption key and an HMAC key, and print them' },
  'key-gen-file': { short: 'K', value: 'FILE', help: 'write the keys into FILE, which must not exist yet' },
  'key-len': { value: 'BYTES', help: 'with --key-gen: the length of the encryption key' },
  'hmac-key-len': { value: 'BYTES', help: 'with --key-gen: the length of the HMAC key' },
  version: { short: 'V', help: 'show the version' },
  help: { short: 'h', help: 'show this text' },

  'NAT-access': { value: 'HOST,PORT', help: 'as in fwknop 1.9: the public PORT leads to the -A port of HOST' },
  'NAT-local': { help: 'as in fwknop 1.9: the public port (55000, or that of --NAT-access) leads to the -A port' },
  HTTP: { help: 'as in fwknop 1.9: the same as -P http' },
  'HTTP-proxy': { value: 'URL', optionalValue: true, help: 'as in fwknop 1.9: the same as -H, or $http_proxy' },
  'HTTP-proxy-user': { value: 'NAME', help: 'as in fwknop 1.9: the user name for the proxy' },
  'HTTP-proxy-password': {
    value: 'TEXT',
    help: 'as in fwknop 1.9: the password for the proxy. For a moment every user of this host can see it',
  },
} as const

export const fwknopOptions = { ...shared, ...own } as const satisfies Record<string, OptionSpec>

export type FwknopLine = GetoptLine<typeof fwknopOptions>
export type FwknopGiven = FwknopLine['options']

/** Options whose value is a secret. */
export const secretOptions: ReadonlySet<string> = new Set([
  'key-rijndael',
  'key-base64-rijndael',
  'key-hmac',
  'key-base64-hmac',
  'HTTP-proxy-password',
])
