/** Has the receiver check HMACs in the fastest way of this host: junk costs one HMAC for each key of its port. */
import { checkTagsBy } from '../../packet/authenticate.ts'
import { nativeHmacSha256 } from '../../system/hmac-sha256.ts'

/** @returns whether this host has a faster way than the HMAC of Node.js: for SHA-256, the default. */
export function checkTagsFast(): boolean {
  const prepare = nativeHmacSha256()
  if (prepare !== undefined) checkTagsBy((type, key) => (type === 'sha256' ? prepare(key) : undefined))
  return prepare !== undefined
}
