/** A GnuPG that only copies: for tests and demonstrations. The message is the plaintext behind a head. */
import type { SignatureReport } from '../access/signature.ts'
import { concatBytes } from '../bytes/bytes.ts'
import { ok, refuse } from '../result.ts'
import type { Gnupg } from './gnupg.ts'

/** How a message to an RSA key begins: a part with a public-key encrypted session key of 268 bytes. */
const HEAD = Uint8Array.of(0x85, 0x01, 0x0c)
/** As long as that part, so that a packet has the length of a real one. */
const LENGTH = HEAD.length + 268

/** @param signature what it reports of each message. */
export function memoryGnupg(signature: SignatureReport = { kind: 'none' }): Gnupg {
  return {
    encrypt: async (plaintext) => ok(concatBytes(HEAD, new Uint8Array(LENGTH - HEAD.length), plaintext)),
    decrypt: async (message) =>
      HEAD.every((byte, i) => message[i] === byte) && message.length > LENGTH
        ? ok({ plaintext: message.slice(LENGTH), signature, decryptedBy: [] })
        : refuse('SPA_DECRYPT_FAILED', 'GnuPG cannot decrypt it'),
  }
}
