/** Makes what decrypts, of a configuration: gpg with a keyring. */
import type { DecrypterName } from '../../access/keyring.ts'
import { type Fingerprint, parseFingerprint } from '../../access/signature.ts'
import { gpgDecrypt } from '../../gpg/decrypt.ts'
import { callGpg, type GpgProgram } from '../../gpg/program.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Decrypter } from './open-message.ts'

/**
 * @param decryptId GPG_DECRYPT_ID: as gpg understands it.
 * @returns GNUPG_FAILED where gpg does not run, or where the keyring has no such secret key, or several.
 */
export async function makeDecrypter(
  name: DecrypterName,
  gpg: GpgProgram,
  decryptId: string | undefined,
): Promise<Result<Decrypter, Failure<'GNUPG_FAILED'>>> {
  const decrypt = gpgDecrypt(gpg)
  if (decryptId === undefined) return ok({ name, decrypt })
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
  return ok({ name, decrypt, keys })
}
