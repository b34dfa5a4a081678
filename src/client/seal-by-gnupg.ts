/** Seals a message by GnuPG (docs/WIRE.md § 7). Loaded only by a knock that uses it. */
import { gpgEncrypt } from '../gpg/encrypt.ts'
import type { GpgProgram } from '../gpg/program.ts'
import type { DigestType } from '../packet/digest-type.ts'
import { exposeKey } from '../packet/key.ts'
import type { OutgoingMessage } from '../packet/message-fields.ts'
import { composePlaintext, sealGnupgMessage } from '../packet/seal.ts'
import type { Failure, Result } from '../result.ts'
import { milliseconds } from '../units.ts'
import type { GnupgKeys, Keys } from './keys.ts'

/** How long gpg may take: the user may have to type a passphrase for the agent. */
const LIMIT = { agent: milliseconds(120_000), alone: milliseconds(20_000) }

/** @returns the text for the wire; `SPA_MESSAGE_INVALID` for what fits no packet; `GNUPG_FAILED` with gpg's reason. */
export async function sealByGnupg(
  message: OutgoingMessage,
  keys: GnupgKeys,
  { digestType, hmac }: { readonly digestType: DigestType; readonly hmac: Keys['hmac'] },
): Promise<Result<string, Failure>> {
  const plaintext = composePlaintext(message, { digestType })
  if (!plaintext.ok) return plaintext
  const { recipient, signer } = keys
  const encrypt = gpgEncrypt(gpgFor(keys))
  const encrypted = await encrypt(plaintext.value, { recipient, ...(signer !== undefined && { signer }) })
  return encrypted.ok ? sealGnupgMessage(encrypted.value, hmac) : encrypted
}

/** How gpg is called with these keys. */
export function gpgFor({ home, program, passphrase }: GnupgKeys): GpgProgram {
  return {
    ...{ program, home, env: { ...process.env, LC_ALL: 'C' } },
    passphrase: typeof passphrase === 'string' ? passphrase : exposeKey(passphrase),
    limit: passphrase === 'agent' ? LIMIT.agent : LIMIT.alone,
  }
}
