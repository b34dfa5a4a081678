/** Opens a packet that this client made by GnuPG, where its keyring has the recipient's secret key. */
import { gpgDecrypt } from '../gpg/decrypt.ts'
import type { GnupgPlaintext } from '../gpg/gnupg.ts'
import { decryptedByGnupg } from '../packet/decrypt.ts'
import type { Envelope } from '../packet/envelope.ts'
import { authenticateGnupgPacket, type OpenedPacket, readPlaintext } from '../packet/open.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { GnupgKeys, Keys } from './keys.ts'
import { gpgFor } from './seal-by-gnupg.ts'

/** A packet that was opened, and who signed it. */
export type OpenedByGnupg = OpenedPacket & Pick<GnupgPlaintext, 'signature'>

/** @returns `SPA_DECRYPT_FAILED` also where the secret key is elsewhere, as usual; else the fault of the packet. */
export async function openByGnupg(
  envelope: Envelope,
  keys: GnupgKeys,
  hmac: Keys['hmac'],
): Promise<Result<OpenedByGnupg, Failure>> {
  const authentic = authenticateGnupgPacket(envelope, { ...(hmac && { hmac }) })
  if (!authentic.ok) return authentic
  const message = authentic.value.envelope.ciphertext(authentic.value.tagLength)
  if (message === undefined) return refuse('SPA_MALFORMED', 'the ciphertext is not in canonical base64')
  const decrypted = await gpgDecrypt(gpgFor(keys))(message)
  if (!decrypted.ok) return decrypted
  const { plaintext, signature } = decrypted.value
  const opened = readPlaintext(decryptedByGnupg(authentic.value, plaintext))
  return opened.ok ? ok({ ...opened.value, signature }) : opened
}
