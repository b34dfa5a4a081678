/** The user agent of a request that carries a packet (docs/WIRE.md § 9), and of a request for the own address. */

/** Whether a request can carry it: visible ASCII and blanks, 1 to 255 characters. */
export function isUserAgent(text: string): boolean {
  return /^[\x20-\x7e]{1,255}$/.test(text)
}
