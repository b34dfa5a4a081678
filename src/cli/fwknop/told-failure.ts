/**
 * What `fwknop` says of a failure: first the words of fwknop that scripts look for, where the same thing happened; then
 * the failure with its cause and its cure.
 */
import { NO_SERVER } from '../../client/plan.ts'
import { NO_SOURCE } from '../../client/request.ts'
import { DIGEST_TYPES } from '../../packet/digest-type.ts'
import type { Failure } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** @returns the exit status. */
export function tellFailure(failure: Failure, terminal: Terminal): number {
  const words = wordsOfFwknop(failure)
  if (words !== undefined) terminal.note(words)
  terminal.fail(failure)
  return 1
}

/** By what the detail begins with: the option that is wrong. `$1` is the value. */
const byDetail: readonly (readonly [RegExp, string])[] = [
  [/^--access: /, 'Invalid SPA access message format: Expecting <proto>/<port> for -A arg.'],
  [/^say what to open/, 'Invalid SPA access message format'],
  [/^--allow-ip: /, 'Invalid allow IP specified for SPA access'],
  [/^--spoof-user: /, 'Args contain invalid data'],
  [/^(?:--spoof-source|SPOOF_SOURCE_IP): /, 'Invalid spoof IP'],
  [/^a spoofed source \(/, 'Must set -P <udpraw|tcpraw|icmp> with a spoofed source IP'],
  [/^--server-proto: “([^”]*)”/, 'Unrecognized protocol: $1'],
  [/^--key-len: /, 'Invalid key length'],
  [/^--hmac-key-len: /, 'Invalid hmac key length'],
  [/^((?:HMAC_)?DIGEST_TYPE): .* is not a digest type/, `$1 argument must be one of {${DIGEST_TYPES.join(',')}}`],
  [/^--fw-timeout: /, '--fw-timeout must be within [0-65535]'],
  [/^--digest-type: “([^”]*)”/, 'Invalid digest type: $1'],
  [/^--hmac-digest-type: “([^”]*)”/, 'Invalid hmac digest type: $1'],
  [/^--encryption-mode: “([^”]*)”/, 'Invalid encryption mode: $1'],
  [/^--time-offset-(?:plus|minus): /, 'Invalid time offset'],
  [/^a proxy \(/, 'Cannot set --http-proxy with a non-HTTP protocol.'],
  [/^--resolve-url: /, 'Error parsing resolve URL'],
  [/^plain HTTP .* cannot be used with an https:/, 'https is not supported for --resolve-http-only.'],
  [/^--(?:server|source|nat)-port: port (\S+) is not between/, 'Value $1 out of range'],
  [/^--fd: “([^”]*)”/, 'Value $1 out of range'],
  [/^--icmp-type: “([^”]*)”/, 'Invalid icmp type: $1'],
  [/^--icmp-code: “([^”]*)”/, 'Invalid icmp code: $1'],
  [/^--nat-access: port /, 'Invalid port value in -N arg.'],
  [/^--nat-access: /, 'Invalid NAT destination for -N arg.'],
  [/^NAT forwards one port only/, 'NAT for multiple ports/protocols not yet supported.'],
  [/not base64/, "The key doesn't look like base64-encoded data"],
  [
    /^the HMAC key and the encryption key are the same/,
    'The encryption passphrase and HMAC key should not be identical',
  ],
  [/^mode legacy .* no HMAC/, 'Legacy encryption mode is incompatible with HMAC usage.'],
  [/^GnuPG needs the key of the server/, 'Must specify GPG recipient key with --gpg-recipient-key.'],
  [/“([^”]*)” is none of the (?:public|secret) keys/, 'GPG key for $1 not found'],
  [
    /^the packet would have .*: sign with an ed25519 key/,
    'Args contain invalid data: FKO_ERROR_INVALID_DATA_ENCRYPT_GPG_RESULT_MSGLEN_VALIDFAIL',
  ],
  [/^GPG_HOMEDIR: there is no folder /, 'Unable to stat the given GPG home directory'],
  [/ cannot be started: there is no such program/, 'Unable to stat the given GPG executable'],
  [/\(EBADF\)$/, 'Bad file descriptor'],
]

function wordsOfFwknop({ code, detail, at }: Failure): string | undefined {
  if (detail.startsWith(NO_SERVER)) return 'Must use --destination unless --test mode is used'
  if (detail.startsWith(NO_SOURCE)) return 'Must use one of [-s|-R|-a] to specify IP for SPA access.'
  const known = knownWords(detail)
  if (at !== undefined) {
    const what = code === 'CONFIG_SYNTAX' ? 'Invalid entry' : 'Parameter error'
    return `${what} in ${at.file}, line ${at.line}${known === undefined ? '' : `: ${known}`}`
  }
  if (known !== undefined) return known
  const [, stanza] = / has no stanza \[(.*)\]$| no rc file .* to take \[(.*)\] from$/.exec(detail) ?? []
  if (code === 'CONFIG_MISSING_KEY' && stanza !== undefined)
    return `Named configuration stanza: [${stanza}] was not found.`
  switch (code) {
    case 'NAME_UNRESOLVED':
    case 'SEND_FAILED':
      return 'send_spa_packet: packet not sent.'
    case 'OWN_ADDRESS_UNKNOWN':
      return 'Could not resolve IP. It was asked for without wget: proxies and settings of wget have no effect.'
    case 'CONFIG_UNREADABLE':
      return 'Could not open a file'
    default:
      return undefined
  }
}

function knownWords(detail: string): string | undefined {
  for (const [pattern, words] of byDetail) {
    const match = pattern.exec(detail)
    if (match !== null) return words.replace('$1', match[1] ?? '')
  }
  return undefined
}
