/** The Internet checksum (RFC 1071): the parts that IP, ICMP, UDP and TCP have in common. */

/**
 * The sum of 16-bit words in network order; an odd last byte counts as if a 0 followed. Below 2³¹ for any IP packet,
 * so that several sums can be added.
 */
export function internetSum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let [high, low] = [0, 0]
  const even = end - ((end - start) & 1)
  for (let at = start; at < even; at += 2) {
    high += bytes[at] as number
    low += bytes[at + 1] as number
  }
  if (even < end) high += bytes[even] as number
  return high * 256 + low
}

/** @returns the 16 bits that a sum folds to. Of bytes with their right checksum in them, 0xffff. */
export function foldSum(total: number): number {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return folded
}
