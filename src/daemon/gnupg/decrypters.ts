/** Makes what decrypts, of a configuration: gpg with a keyring. */
import type { DecrypterName } from '../../access/keyring.ts'
import { type Fingerprint, parseFingerprint } from '../../access/signature.ts'
import { gpgDecrypt } from '../../gpg/decrypt.ts'
import { callGpg, type GpgProgram } from '../../gpg/program.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Decrypter } from './open-message.ts'

/** What a decrypter is made of. */
export interface DecrypterParts {
  readonly name: DecrypterName
  readonly gpg: GpgProgram
  /** Values of GPG_DECRYPT_ID: as gpg understands them. */
  readonly decryptIds: readonly string[]
  readonly anyKey: boolean
}

/**
 * @returns the decrypter, and why a GPG_DECRYPT_ID names no key; GNUPG_FAILED where gpg does not run, or where no key
 * is left.
 */
export async function makeDecrypter({
  name,
  gpg,
  decryptIds,
  anyKey,
}: DecrypterParts): Promise<Result<{ decrypter: Decrypter; problems: readonly string[] }, Failure<'GNUPG_FAILED'>>> {
  const keysOf = new Map<string, ReadonlySet<Fingerprint>>()
  const problems: string[] = []
  for (const id of decryptIds) {
    const keys = await keysNamed(id, gpg)
    if (keys.ok) keysOf.set(id, keys.value)
    else problems.push(keys.failure.detail)
  }
  if (!anyKey && keysOf.size === 0) return refuse('GNUPG_FAILED', problems.join('; '))
  return ok({ decrypter: { name, decrypt: gpgDecrypt(gpg), keysOf, anyKey }, problems })
}

/** @returns a secret key and its subkeys; GNUPG_FAILED where the keyring has no such secret key, or several. */
async function keysNamed(
  decryptId: string,
  gpg: GpgProgram,
): Promise<Result<ReadonlySet<Fingerprint>, Failure<'GNUPG_FAILED'>>> {
  const listed = await callGpg(gpg, ['--with-colons', '--list-secret-keys', '--', decryptId], new Uint8Array(), 'none')
  if (listed.broken !== undefined) return refuse('GNUPG_FAILED', listed.broken)
  const records = Buffer.from(listed.output)
    .toString('latin1')
    .split('\n')
    .map((line) => line.split(':'))
  const found = records.filter(([kind]) => kind === 'sec').length
  if (found !== 1)
    return refuse(
      'GNUPG_FAILED',
      `GPG_DECRYPT_ID: “${decryptId}” is ${found === 0 ? 'none' : `the name of ${found}`} of the secret keys of GPG_HOME_DIR`,
    )
  const keys = new Set<Fingerprint>()
  for (const [kind, ...fields] of records) {
    const fingerprint = kind === 'fpr' ? parseFingerprint(fields[8] ?? '') : undefined
    if (fingerprint !== undefined) keys.add(fingerprint)
  }
  return ok(keys)
}
