/** Ranges of keys: all that begin alike. A range has its first key, and the first that is not in it. */
import { encodeBase64Padded } from '../system/base64.ts'

/** All keys that begin with this. */
export function prefixRange(prefix: string): { readonly from: Buffer; readonly to: Buffer } {
  const from = Buffer.from(prefix)
  const to = Buffer.from(prefix)
  const last = to.length - 1
  to[last] = (to[last] ?? 0) + 1
  return { from, to }
}

/** The same, as a field of a request. */
export function prefixFields(prefix: string): { readonly key: string; readonly range_end: string } {
  const { from, to } = prefixRange(prefix)
  return { key: encodeBase64Padded(from), range_end: encodeBase64Padded(to) }
}
