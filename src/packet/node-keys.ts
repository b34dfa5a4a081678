/**
 * One secret for many nodes (docs/WIRE.md § 17): the keys of a user for one node, derived from the secret of the user
 * and the key name of the node by HKDF-SHA256 (RFC 5869). The results are ordinary keys of fwknop. Nobody can compute
 * the secret, or the keys for another node, from the keys for one node.
 */
import { primitives } from '#primitives'
import { decodeBase64Padded, encodeBase64Padded } from '../bytes/base64.ts'
import { concatBytes, wipe } from '../bytes/bytes.ts'
import { encodeText } from '../bytes/text.ts'
import { type Failure, type Result, refuse } from '../result.ts'
import { EncryptionKey, exposeKey, HmacKey, NodeSecret } from './key.ts'
import type { KeyName } from './node-name.ts'

const SALT = encodeText('ghostport node 1')

/** The keys of one user for one node. */
export interface NodeKeys {
  /** 32 bytes. */
  readonly encryption: EncryptionKey
  /** 64 bytes. */
  readonly hmac: HmacKey
}

/** @returns the keys for the node of this key name. */
export function deriveNodeKeys(secret: NodeSecret, keyName: KeyName): NodeKeys {
  const info = encodeText(keyName)
  const extracted = primitives.prepareHmac('sha256', SALT)(exposeKey(secret))
  const expand = primitives.prepareHmac('sha256', extracted)
  const first = expand(concatBytes(info, Uint8Array.of(1)))
  const second = expand(concatBytes(first, info, Uint8Array.of(2)))
  const third = expand(concatBytes(second, info, Uint8Array.of(3)))
  const encryption = EncryptionKey.fromBytes(first)
  const hmac = HmacKey.fromBytes(concatBytes(second, third))
  wipe(extracted, first, second, third)
  if (!encryption.ok || !hmac.ok) throw new Error('derived keys have fixed lengths')
  return { encryption: encryption.value, hmac: hmac.value }
}

/** The keys as files have them: padded base64. */
export function nodeKeyTexts({ encryption, hmac }: NodeKeys): { readonly key: string; readonly hmacKey: string } {
  return { key: encodeBase64Padded(exposeKey(encryption)), hmacKey: encodeBase64Padded(exposeKey(hmac)) }
}

/** Padded base64, 44 characters. */
export function formatNodeSecret(secret: NodeSecret): string {
  return encodeBase64Padded(exposeKey(secret))
}

/**
 * Strict, unlike the base64 of keys: another spelling, or a character that was lost on the way, is refused.
 * @returns the secret; `KEY_INVALID`, which quotes nothing.
 */
export function parseNodeSecret(text: string): Result<NodeSecret, Failure<'KEY_INVALID'>> {
  const bytes = text.length % 4 === 0 ? decodeBase64Padded(text) : undefined
  if (bytes === undefined) return refuse('KEY_INVALID', 'the secret is not base64: was it copied as a whole?')
  const secret = NodeSecret.fromBytes(bytes)
  wipe(bytes)
  return secret
}
