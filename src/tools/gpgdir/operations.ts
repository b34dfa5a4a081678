/** What gpg is asked to do with one file, and what its status lines say of it (GnuPG's doc/DETAILS). */
import { BAD_PASSPHRASE, gpgError, NO_PINENTRY, type StatusLine } from '../../gpg/status-lines.ts'
import { FIRST_EXTRA_DESCRIPTOR, type StreamOutcome } from './gpg-stream.ts'
import type { Operation } from './names.ts'
import type { NamedKey } from './rc-file.ts'

export interface Means {
  readonly key: NamedKey | 'symmetric'
  readonly armor: boolean
}

/** What came of a file. */
export type Verdict = { readonly whole: true } | Failed

export interface Failed {
  readonly whole: false
  readonly why: string
  /** The next files would fail in the same way. */
  readonly stop: boolean
}

/** The arguments of gpg, which reads the file, and writes the result. */
export function argumentsOf(operation: Operation, { key, armor }: Means): readonly string[] {
  const id = typeof key === 'object' ? key.id : undefined
  switch (operation) {
    case 'encrypt': {
      const armored = armor ? '--armor' : '--no-armor'
      if (key === 'symmetric') return [armored, '--symmetric']
      const whom = id === undefined ? ['--default-recipient-self'] : ['--recipient', id]
      // The key was named by the user: it need not be trusted besides.
      return [armored, '--trust-model', 'always', ...whom, '--encrypt']
    }
    case 'decrypt':
      return ['--decrypt']
    case 'sign':
      return ['--armor', ...(id === undefined ? [] : ['--local-user', id]), '--detach-sign']
    case 'verify': {
      const [signature, signed] = [FIRST_EXTRA_DESCRIPTOR, FIRST_EXTRA_DESCRIPTOR + 1]
      return ['--enable-special-filenames', '--verify', '--', `-&${signature}`, `-&${signed}`]
    }
    default:
      return operation satisfies never
  }
}

/**
 * @param outcome of gpg with {@link argumentsOf}.
 * @param isKeyTried the passphrase of the key is known to be right: one that is wrong is that of this file alone.
 */
export function verdictOf(operation: Operation, outcome: StreamOutcome, isKeyTried = false): Verdict {
  const { exit, status, broken } = outcome
  if (broken !== undefined) return failed(broken, true)
  if (exit === null) return failed('gpg was ended by a signal', true)
  const why = problemIn(operation, status, isKeyTried)
  if (why !== undefined) return why
  const count = (word: string): number => status.filter(([first]) => first === word).length
  const isDone = {
    encrypt: exit === 0 && count('END_ENCRYPTION') === 1,
    // A signature by an unknown key also makes gpg fail: the plaintext is whole nevertheless.
    decrypt:
      count('DECRYPTION_OKAY') === 1 &&
      count('GOODMDC') === 1 &&
      count('PLAINTEXT') === 1 &&
      (exit === 0 || count('ERRSIG') > 0),
    sign: exit === 0 && count('SIG_CREATED') === 1,
    verify: exit === 0 && count('VALIDSIG') === 1,
  }[operation]
  if (isDone) return { whole: true }
  const remark = outcome.remarks.at(-1) ?? `gpg ended with status ${exit}`
  return failed(
    remark,
    outcome.remarks.some((text) => /No space left|quota exceeded/i.test(text)),
  )
}

function problemIn(operation: Operation, status: readonly StatusLine[], isKeyTried: boolean): Verdict | undefined {
  const has = (word: string): boolean => status.some(([first]) => first === word)
  const isDone = has('DECRYPTION_OKAY')
  if (has('BADSIG')) return failed(showLine(status, 'BADSIG'), false)
  if (operation === 'verify' && has('ERRSIG'))
    return failed('the public key of the signer is not in the keyring', false)
  if (operation === 'verify' && (has('EXPSIG') || has('EXPKEYSIG') || has('REVKEYSIG')))
    return failed('the signature, or the key that made it, has expired or was revoked', false)
  const errors = ['pkdecrypt_failed', 'symkey_decrypt.maybe_error', 'sign-encrypt', 'sign', 'symencrypt'] as const
  const codes = errors.flatMap((where) => [gpgError(status, 'ERROR', where), gpgError(status, 'FAILURE', where)])
  const wrong = isKeyTried ? failed('it needs another passphrase', false) : failed('the passphrase is wrong', true)
  if (!isDone && codes.includes(BAD_PASSPHRASE)) return wrong
  if (!isDone && codes.includes(NO_PINENTRY)) return failed('gpg asks for a passphrase, and has none', true)
  if (operation !== 'decrypt' || isDone) return undefined
  if (has('NO_SECKEY')) return failed('it is encrypted with a different GnuPG key', false)
  if (has('NEED_PASSPHRASE_SYM') && has('DECRYPTION_FAILED')) return wrong
  if (has('NODATA')) return failed('it is no OpenPGP message', false)
  return undefined
}

function showLine(status: readonly StatusLine[], word: string): string {
  return `[GNUPG:] ${status.find(([first]) => first === word)?.join(' ') ?? word}`
}

function failed(why: string, stop: boolean): Verdict {
  return { whole: false, why, stop }
}
