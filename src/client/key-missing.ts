/**
 * What a user reads when a key is missing: each way to look for it has its sentence here. `client/plan.ts` adds where
 * the key belongs, if an rc file was read.
 * `what` is the key as the user knows it: `Encryption key for HOST`.
 */
import { refuse } from '../result.ts'

export const keyMissing = {
  /** A key file (`-G`, `--get-hmac-key`) has no line for this server. */
  inFile: (file: string, server: string) => missing(`${file} has no key for ${server}`),
  /** A program called `knock()`, and its `askSecret` has no answer. @param option the one that names the key. */
  notGiven: (what: string, option: string) => missing(`${what}: give it with --${option}`),
  /** GnuPG without the key to encrypt to. */
  noRecipient: () =>
    missing('GnuPG needs the key of the server to encrypt to: --gpg-recipient-key, or GPG_RECIPIENT in the rc file'),
  /** Nobody can be asked. */
  noTerminal: (what: string) => missing(`${what} cannot be asked for: there is no terminal`),
  nothingTyped: (what: string) => missing(`${what}: nothing was typed`),
  /** `--stdin`, `--fd`: the input has ended, or its line is empty. */
  noLine: (what: string, descriptor: number) => missing(`${what}: descriptor ${descriptor} has no line for it`),
  /** @param code the system's, such as `EBADF`. */
  unreadable: (what: string, descriptor: number, code: string) =>
    missing(`${what}: descriptor ${descriptor} cannot be read (${code})`),
}

function missing(detail: string) {
  return refuse('KEY_MISSING', detail)
}
