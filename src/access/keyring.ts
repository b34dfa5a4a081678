/**
 * Which stanzas share their keys. No packet names its key, so the server must try keys. It tries each key once, even if
 * many stanzas have it. A packet that opens with a key opens for all stanzas that have it.
 */
import { primitives } from '#primitives'
import { encodeBase64 } from '../bytes/base64.ts'
import { concatBytes } from '../bytes/bytes.ts'
import { encodeText } from '../bytes/text.ts'
import { chainingOf, passphraseOf } from '../packet/encryption-mode.ts'
import { exposeKey } from '../packet/key.ts'
import type { Brand } from '../units.ts'
import { encryptionsOf, type GnupgDecrypter, gnupgOf, type Stanza, type StanzaEncryption } from './stanza.ts'

/** A hash of the keys of a keyring. The same keys have the same name after a reload. It is never written anywhere. */
export type KeyringName = Brand<string, 'KeyringName'>

/** A hash of an HMAC key. It is never written anywhere. */
export type HmacName = Brand<string, 'HmacName'>

/** A way to run gpg. The processes of the server name it so to each other. */
export type DecrypterName = Brand<string, 'DecrypterName'>

/** The keys that open a packet, and the stanzas that have them. Compare by identity within one policy. */
export interface Keyring extends Pick<Stanza, 'encryption' | 'hmac'> {
  readonly name: KeyringName
  /** The same for all keyrings with this HMAC key. Absent: there is none. */
  readonly vouchedBy?: HmacName
  /** In file order; at least one. */
  readonly stanzas: readonly [Stanza, ...Stanza[]]
}

/** Whether any stanza with these keys runs commands: then packets may be longer (docs/WIRE.md § 7). */
export function runsCommands({ stanzas }: Keyring): boolean {
  return stanzas.some(({ commands }) => commands !== undefined)
}

export function gatherKeyrings(stanzas: readonly Stanza[]): readonly Keyring[] {
  const keyrings = new Map<KeyringName, Keyring & { stanzas: [Stanza, ...Stanza[]] }>()
  for (const stanza of stanzas) {
    for (const encryption of encryptionsOf(stanza)) {
      const keys = { encryption, ...(stanza.hmac !== undefined && { hmac: stanza.hmac }) }
      const name = keyringName(keys)
      const known = keyrings.get(name)
      if (known !== undefined) known.stanzas.push(stanza)
      else keyrings.set(name, { name, ...keys, ...vouchedBy(stanza), stanzas: [stanza] })
    }
  }
  return [...keyrings.values()]
}

/**
 * A SHA-256 of the keys and of how they are used, with one character per byte. Two stanzas have the same name if they
 * open the same packets.
 */
function keyringName({ encryption, hmac }: Pick<Stanza, 'encryption' | 'hmac'>): KeyringName {
  const macKey = hmac === undefined ? new Uint8Array() : exposeKey(hmac.key)
  const { how, secret } = nameParts(encryption)
  const keys = primitives.digest('sha256', concatBytes(secret, macKey))
  const header = `${how} ${hmac?.type ?? 'none'} ${secret.length}`
  return `${header} ${Reflect.apply(String.fromCharCode, undefined, keys)}` as KeyringName
}

function vouchedBy({ hmac }: Pick<Stanza, 'hmac'>): Pick<Keyring, 'vouchedBy'> {
  if (hmac === undefined) return {}
  return { vouchedBy: encodeBase64(primitives.digest('sha256', exposeKey(hmac.key))) as HmacName }
}

/**
 * The same for two stanzas that run gpg in the same way: base64 of a SHA-256. GPG_DECRYPT_ID and signatures do not
 * count: each stanza judges them by itself (gnupg-report.ts).
 */
export function decrypterName({ home, program, passphrase }: Omit<GnupgDecrypter, 'decryptIds'>): DecrypterName {
  const secret = passphrase === undefined ? '' : encodeBase64(exposeKey(passphrase))
  const text = encodeText(JSON.stringify([home, program, secret]))
  return encodeBase64(primitives.digest('sha256', text)) as DecrypterName
}

/**
 * A GnuPG packet goes to the stanzas of the first keyring that opens it, if one of them accepts its signer. Stanzas
 * with one GPG_HOME_DIR, but another passphrase or program, have different keyrings in this sense, although gpg may
 * open the same packets with both.
 * @returns the stanzas that may not be asked for that reason.
 */
export function overshadowedByGnupg(stanzas: readonly Stanza[]): readonly Stanza[] {
  const seen = new Map<string, GnupgDecrypter[]>()
  return stanzas.filter((stanza) => {
    const gnupg = gnupgOf(stanza)
    if (gnupg === undefined) return false
    const hmac = stanza.hmac === undefined ? '' : `${stanza.hmac.type} ${encodeBase64(exposeKey(stanza.hmac.key))}`
    const key = JSON.stringify([gnupg.home, hmac])
    const others = seen.get(key) ?? []
    if (others.some((other) => decrypterName(other) === decrypterName(gnupg))) return false
    seen.set(key, [...others, gnupg])
    return others.some((other) => mayShareKey(other.decryptIds, gnupg.decryptIds))
  })
}

/** Without names it may be any key. */
function mayShareKey(ones: readonly string[] | undefined, others: readonly string[] | undefined): boolean {
  if (ones === undefined || others === undefined) return true
  return ones.some((one) => others.some((other) => mayBeSameKey(one, other)))
}

/** Two names of different kinds say nothing, and are taken for two keys. */
function mayBeSameKey(one: string, other: string): boolean {
  const [a, b] = [one, other].map((id) => id.replace(/^0x/i, '').toUpperCase()) as [string, string]
  return a.endsWith(b) || b.endsWith(a)
}

/** @returns how a stanza decrypts, and with what. Both are the same for two stanzas that open each other's packets. */
function nameParts(encryption: StanzaEncryption): { readonly how: string; readonly secret: Uint8Array } {
  switch (encryption.kind) {
    case 'symmetric':
      return { how: chainingOf(encryption.mode), secret: passphraseOf(encryption.key, encryption.mode) }
    case 'gnupg':
      return { how: 'gnupg', secret: encodeText(decrypterName(encryption)) }
    default:
      return encryption satisfies never
  }
}
