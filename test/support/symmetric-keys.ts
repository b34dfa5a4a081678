import assert from 'node:assert/strict'
import type { Stanza, SymmetricEncryption } from '../../src/access/stanza.ts'
import type { PacketKeys } from '../../src/packet/open.ts'

/** The keys of a stanza that has a symmetric one. */
export function symmetricKeys({
  encryption,
  hmac,
}: Pick<Stanza, 'encryption' | 'hmac'>): PacketKeys & { readonly encryption: SymmetricEncryption } {
  assert(encryption.kind === 'symmetric')
  return hmac === undefined ? { encryption } : { encryption, hmac }
}
