/**
 * What `fwknop` says of a failure: first the words of fwknop that scripts look for, where the same thing happened; then
 * the failure with its cause and its cure.
 */
import { NO_SERVER } from '../../client/plan.ts'
import { NO_SOURCE } from '../../client/request.ts'
import type { Failure } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** @returns the exit status. */
export function tellFailure(failure: Failure, terminal: Terminal): number {
  const words = wordsOfFwknop(failure)
  if (words !== undefined) terminal.note(words)
  terminal.fail(failure)
  return 1
}

/** By what the detail begins with: the option that is wrong. */
const byDetail: readonly (readonly [RegExp, string])[] = [
  [/^--access: .* port .* not between/, 'Invalid SPA access message format: Invalid port'],
  [/^--access: “[^/”]*” /, 'Invalid SPA access message format. Expecting <proto>/<port> for -A arg'],
  [/^--access: /, 'Invalid SPA access message format'],
  [/^say what to open/, 'Invalid SPA access message: nothing is asked for'],
  [/^--allow-ip: /, 'Invalid allow IP specified for SPA access'],
  [/^--spoof-user: /, 'Args contain invalid data'],
  [/^--spoof-source: /, 'Invalid spoof IP'],
  [/^a spoofed source .* needs/, 'Must set -P to udpraw, tcpraw or icmp for a spoofed source'],
  [/^--icmp-(type|code): /, 'Invalid icmp type or code'],
  [/^--server-proto: “/, 'Unrecognized protocol'],
  [/^--digest-type: /, 'Invalid digest type'],
  [/^--hmac-digest-type: /, 'Invalid hmac digest type'],
  [/^--encryption-mode: “/, 'Parameter error: Invalid encryption mode'],
  [/^--time-offset-(plus|minus): /, 'Parameter error: Invalid time offset'],
  [/^--nat-access: .* (?:is not between|is not a port)/, 'Invalid port in NAT destination for -N arg'],
  [/^--nat-access: /, 'Invalid NAT destination for -N arg'],
  [/^NAT forwards one port only/, 'NAT for multiple ports is not possible'],
  [/^mode legacy is for fwknop before 2\.5/, 'legacy mode is incompatible with HMAC'],
  [/GPG_(?:RECIPIENT|SIGNER): “.*” is none of the/, 'The key for GnuPG was not found'],
  [/not base64/, "The key doesn't look like base64-encoded data"],
  [
    /^the HMAC key and the encryption key are the same/,
    'The encryption passphrase and HMAC key should not be identical',
  ],
]

function wordsOfFwknop({ code, detail, at }: Failure): string | undefined {
  if (detail.startsWith(NO_SERVER)) return 'Must use --destination unless --test mode is used'
  if (detail.startsWith(NO_SOURCE)) return 'Must use one of [-s|-R|-a] to specify IP for SPA access.'
  const known = byDetail.find(([pattern]) => pattern.test(detail))?.[1]
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
    case 'CONFIG_UNREADABLE':
      return 'Could not open a file'
    default:
      return undefined
  }
}
