/** GnuPG for the vectors: the keyring that their stanzas call GPG_HOME, and the real gpg with it. */
import { randomBytes } from 'node:crypto'
import { decrypterName } from '../../src/access/keyring.ts'
import type { GnupgEncryption } from '../../src/access/stanza.ts'
import { makeDecrypter } from '../../src/daemon/gnupg/decrypters.ts'
import { openMessage } from '../../src/daemon/gnupg/open-message.ts'
import { type Attestation, type Attested, isAttested } from '../../src/daemon/link/attestation.ts'
import { gnupgMessageOf, type Pending, type Received } from '../../src/daemon/receiver/receive.ts'
import { decryptedByGnupg } from '../../src/packet/decrypt.ts'
import { milliseconds } from '../../src/units.ts'
import { type Keyring, makeKeyring } from '../support/gnupg.ts'

const SECRET = randomBytes(32)
let keyring: Keyring | undefined

/** Made when the first vector needs it; removed when this process ends. */
export function gnupgHome(): string {
  if (keyring === undefined) {
    const made = makeKeyring()
    keyring = made
    process.once('exit', () => made.remove())
  }
  return keyring.home
}

export function vouches(attested: Attested, attestation: Attestation): boolean {
  return isAttested(SECRET, attested, attestation)
}

/** Goes on with a packet as the server does. @param onPlaintext gets what gpg decrypted. */
export async function decryptByGnupg(
  { envelope, goOn }: Pending,
  encryption: GnupgEncryption,
  onPlaintext: (plaintext: Uint8Array) => void,
): Promise<Received> {
  const { home, program } = encryption
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' }
  const gpg = { program, home, passphrase: 'none', env, limit: milliseconds(20_000) } as const
  const { decryptIds } = encryption
  const ids = { decryptIds: decryptIds ?? [], anyKey: decryptIds === undefined }
  const made = await makeDecrypter({ name: decrypterName(encryption), gpg, ...ids })
  if (!made.ok) return goOn(made)
  const opened = await openMessage(gnupgMessageOf(envelope) ?? new Uint8Array(), made.value.decrypter, SECRET)
  if (!opened.ok) return goOn(opened)
  const { plaintext, ...proof } = opened.value
  onPlaintext(plaintext)
  return goOn({ ok: true, value: decryptedByGnupg(envelope, plaintext) }, proof)
}
