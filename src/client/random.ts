/** The digits that open each message (docs/WIRE.md § 2). */

/**
 * @param bytes 8 random bytes.
 * @returns 16 decimal digits. Their slight bias is harmless: fwknop makes them of 32 random bits; what makes a packet
 * unlike any other is its salt.
 */
export function randomDigits(bytes: Uint8Array): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return (value % 10n ** 16n).toString().padStart(16, '0')
}
