/**
 * Which stanzas share their keys. No key of the format names itself, so that finding whose packet this is means trying
 * keys; each is tried once, however many stanzas have it, and what opens under it opens for all of them.
 */
import { primitives } from '#primitives'
import { concatBytes } from '../bytes/concat.ts'
import { exposeKey } from '../packet/key.ts'
import type { Brand } from '../units.ts'
import type { Stanza } from './stanza.ts'

/** A hash of the keys of a keyring. The same keys have the same name after a reload. Never written anywhere. */
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
 * A SHA-256 of the keys, with how they are used; one character per byte. Two stanzas have the same name if the same
 * packets open under both.
 */
function keyringName({ encryption, hmac }: Stanza): KeyringName {
  const { mode, key } = encryption
  const legacy = mode === 'legacy'
  const cipherKey = exposeKey(key)
  const macKey = hmac === undefined ? new Uint8Array() : exposeKey(hmac.key)
  const keys = primitives.digest('sha256', concatBytes(legacy ? legacyKey(cipherKey) : cipherKey, macKey))
  const header = `${legacy ? 'CBC' : mode} ${hmac?.type ?? 'none'} ${legacy ? LEGACY_LENGTH : cipherKey.length}`
  return `${header} ${Reflect.apply(String.fromCharCode, undefined, keys)}` as KeyringName
}

/** Legacy is CBC under the key filled up with the digit 0, or cut, to 16 bytes (docs/WIRE.md § 7). */
const LEGACY_LENGTH = 16
function legacyKey(key: Uint8Array): Uint8Array {
  const filled = new Uint8Array(LEGACY_LENGTH).fill('0'.charCodeAt(0))
  filled.set(key.subarray(0, LEGACY_LENGTH))
  return filled
}
