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
  [/^--access: /, 'Invalid SPA access message format'],
  [/^--allow-ip: /, 'Invalid allow IP specified for SPA access'],
  [/^--spoof-user: /, 'Args contain invalid data'],
  [/^--server-proto: “/, 'Unrecognized protocol'],
  [/^--digest-type: /, 'Invalid digest type'],
  [/^--hmac-digest-type: /, 'Invalid hmac digest type'],
  [/^--encryption-mode: “/, 'Invalid encryption mode'],
  [/^--time-offset-(plus|minus): /, 'Invalid time offset'],
  [/^--nat-access: /, 'Invalid NAT destination for -N arg'],
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
