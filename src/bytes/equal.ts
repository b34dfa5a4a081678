/** Comparison that tells nobody, by the time it takes, where two secrets differ. */

/** Takes as long for equal bytes as for different ones of the same length. */
export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= (one[i] ?? 0) ^ (other[i] ?? 0)
  return difference === 0
}
