/**
 * Reads what gpg says of a decryption on its status descriptor (GnuPG's doc/DETAILS). Only these lines count, never the
 * text for people. A line that matters is refused if it is missing, doubled or unknown.
 */
import {
  type Fingerprint,
  parseFingerprint,
  type SignatureReport,
  type UnverifiedReason,
  type VerifiedSignature,
} from '../access/signature.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { BAD_PASSPHRASE, gpgError, NO_PINENTRY, type StatusLine, statusLines } from './status-lines.ts'

/** What the status lines say of a message that was decrypted. */
export interface DecryptionStatus {
  readonly signature: SignatureReport
  /** The key that decrypted it, and its primary key. Empty for a gpg that does not tell. */
  readonly decryptedBy: readonly Fingerprint[]
}

/** By the line that gpg prints for it. */
const STATES = {
  GOODSIG: 'good',
  EXPSIG: 'signature expired',
  EXPKEYSIG: 'key expired',
  REVKEYSIG: 'key revoked',
} as const satisfies Record<string, VerifiedSignature['state']>
/** In gpgme's terms, a validity of “marginal” or more. */
const TRUSTED = ['TRUST_MARGINAL', 'TRUST_FULLY', 'TRUST_ULTIMATE']
const NO_PUBLIC_KEY = '9'

/**
 * @param text of the status descriptor
 * @param exit of gpg; null if a signal ended it
 * @returns `SPA_DECRYPT_FAILED` for a message that was not decrypted whole and unchanged
 */
export function readDecryptionStatus(
  text: string,
  exit: number | null,
): Result<DecryptionStatus, Failure<'SPA_DECRYPT_FAILED'>> {
  const lines = statusLines(text)
  const count = (word: string): number => lines.filter(([first]) => first === word).length
  const why = failureOf(lines)
  if (why !== undefined) return notDecrypted(why)
  // More than one plaintext: what was signed may not be what is read.
  if (count('PLAINTEXT') !== 1 || count('DECRYPTION_OKAY') !== 1 || count('GOODMDC') !== 1)
    return notDecrypted('it is not one encrypted message with protection against changes')
  const signature = readSignature(lines)
  const isSound = signature.kind === 'none' || (signature.kind === 'verified' && signature.state === 'good')
  if (exit !== 0 && (isSound || exit === null)) return notDecrypted(`gpg ended with status ${exit}`)
  const decryptedBy = lines
    .filter(([first]) => first === 'DECRYPTION_KEY')
    .flatMap(([, ...keys]) => keys.flatMap((key) => parseFingerprint(key) ?? []))
  return ok({ signature, decryptedBy })
}

function failureOf(lines: readonly StatusLine[]): string | undefined {
  const has = (word: string): boolean => lines.some(([first]) => first === word)
  const isDone = has('DECRYPTION_OKAY')
  const secretKeyError = isDone ? undefined : gpgError(lines, 'ERROR', 'pkdecrypt_failed')
  if (secretKeyError === BAD_PASSPHRASE) return 'the passphrase of the server’s key is wrong (GPG_DECRYPT_PW)'
  if (secretKeyError === NO_PINENTRY) return 'the server’s key has a passphrase, and none is set (GPG_DECRYPT_PW)'
  if (has('NO_SECKEY') && !isDone) return 'it is for a key that is not in the server’s keyring (GPG_HOME_DIR)'
  if (has('BADMDC')) return 'it was changed after it was made'
  if (has('DECRYPTION_FAILED') || !isDone) return 'GnuPG cannot decrypt it'
  if (has('NODATA') || has('UNEXPECTED')) return 'it is not one OpenPGP message'
  return undefined
}

function readSignature(lines: readonly StatusLine[]): SignatureReport {
  const words = lines.map(([word = '']) => word)
  const results = lines.filter(([word = '']) => Object.hasOwn(STATES, word) || ['BADSIG', 'ERRSIG'].includes(word))
  const valid = lines.filter(([word]) => word === 'VALIDSIG')
  const begun = words.filter((word) => word === 'NEWSIG').length
  if (begun === 0 && results.length === 0 && valid.length === 0) return { kind: 'none' }
  if (begun > 1 || results.length > 1 || valid.length > 1) return unverified('there are several signatures')
  const [result] = results
  const [word = '', ...details] = result ?? []
  if (word === 'BADSIG') return unverified('the signature is wrong')
  if (word === 'ERRSIG')
    return unverified(details[5] === NO_PUBLIC_KEY ? 'the public key is not in the keyring' : 'gpg could not check it')
  const [, ...fields] = valid[0] ?? []
  // gpg gives one for each good signature. Of two, nobody knows which one counts.
  const trusts = words.filter((one) => one.startsWith('TRUST_'))
  const fingerprint = parseFingerprint(fields[0] ?? '')
  const primary = parseFingerprint(fields[9] ?? '')
  if (!isState(word) || fingerprint === undefined || primary === undefined) return unverified('gpg could not check it')
  return {
    ...{ kind: 'verified', fingerprint, primary, state: STATES[word] },
    isTrusted: trusts.length === 1 && trusts.every((trust) => TRUSTED.includes(trust)),
  }
}

function isState(word: string): word is keyof typeof STATES {
  return Object.hasOwn(STATES, word)
}

function unverified(why: UnverifiedReason): SignatureReport {
  return { kind: 'unverified', why }
}

function notDecrypted(detail: string) {
  return refuse('SPA_DECRYPT_FAILED', detail)
}
