/**
 * Base64 with its `=`, by Node’s own code. What etcd holds passes through it several times for each record, and where
 * V8 compiles little (v8-options.ts), that of bytes/base64.ts takes many times as long.
 */

export function encodeBase64Padded(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** @returns undefined unless it is what {@link encodeBase64Padded} writes. */
export function decodeBase64Padded(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
