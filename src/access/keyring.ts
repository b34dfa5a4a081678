/**
 * Which stanzas share their keys. No packet names its key, so the server must try keys. It tries each key once, even if
 * many stanzas have it. A packet that opens with a key opens for all stanzas that have it.
 */
import { primitives } from '#primitives'
import { concatBytes } from '../bytes/bytes.ts'
import { chainingOf, passphraseOf } from '../packet/encryption-mode.ts'
import { exposeKey } from '../packet/key.ts'
import type { Brand } from '../units.ts'
import type { Stanza, StanzaEncryption } from './stanza.ts'

/** A hash of the keys of a keyring. The same keys have the same name after a reload. It is never written anywhere. */
export type KeyringName = Brand<string, 'KeyringName'>

/** The keys that open a packet, and the stanzas that have them. Compare by identity within one policy. */
export interface Keyring extends Pick<Stanza, 'encryption' | 'hmac'> {
  readonly name: KeyringName
  /** In file order; at least one. */
  readonly stanzas: readonly [Stanza, ...Stanza[]]
}

export function gatherKeyrings(stanzas: readonly Stanza[]): readonly Keyring[] {
  const keyrings = new Map<KeyringName, Keyring & { stanzas: [Stanza, ...Stanza[]] }>()
  for (const stanza of stanzas) {
    const name = keyringName(stanza)
    const known = keyrings.get(name)
    if (known !== undefined) known.stanzas.push(stanza)
    else keyrings.set(name, { name, ...keysOf(stanza), stanzas: [stanza] })
  }
  return [...keyrings.values()]
}

function keysOf({ encryption, hmac }: Stanza): Pick<Stanza, 'encryption' | 'hmac'> {
  return hmac === undefined ? { encryption } : { encryption, hmac }
}

/**
 * A SHA-256 of the keys and of how they are used, with one character per byte. Two stanzas have the same name if they
 * open the same packets.
 */
function keyringName({ encryption, hmac }: Stanza): KeyringName {
  const macKey = hmac === undefined ? new Uint8Array() : exposeKey(hmac.key)
  const { how, secret } = nameParts(encryption)
  const keys = primitives.digest('sha256', concatBytes(secret, macKey))
  const header = `${how} ${hmac?.type ?? 'none'} ${secret.length}`
  return `${header} ${Reflect.apply(String.fromCharCode, undefined, keys)}` as KeyringName
}

/** @returns how a stanza decrypts, and with what. Both are the same for two stanzas that open each other's packets. */
function nameParts(encryption: StanzaEncryption): { readonly how: string; readonly secret: Uint8Array } {
  switch (encryption.kind) {
    case 'symmetric':
      return { how: chainingOf(encryption.mode), secret: passphraseOf(encryption.key, encryption.mode) }
    default:
      return encryption.kind satisfies never
  }
}
