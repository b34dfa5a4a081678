/**
 * The cryptography that `packet/` needs, as one interface: in Node over `node:crypto` (node.ts), elsewhere over the
 * noble libraries (browser.ts). Import `#primitives`; the conditions of package.json choose the file. Nothing here
 * knows SPA.
 */

export type HashName = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sha3_256' | 'sha3_512'

/** How one AES-256 block is chained to the next. CFB and OFB feed back whole blocks of 128 bits. */
export type ChainingMode = 'cbc' | 'ecb' | 'cfb' | 'ofb' | 'ctr'

/** The HMAC of the first `length` bytes of `data`, or of all, with a prepared key. */
export type Mac = (data: Uint8Array, length?: number) => Uint8Array

export interface Primitives {
  digest(hash: HashName, data: Uint8Array): Uint8Array

  /**
   * RFC 2104. Preparing a key costs more than a short MAC, so prepare each key once.
   * @param key is copied; the caller may wipe it.
   */
  prepareHmac(hash: HashName, key: Uint8Array): Mac

  /**
   * AES-256 without padding.
   * @param key 32 bytes. @param iv 16 bytes, unused by ECB; CTR counts it up as one 128-bit big-endian number.
   * @param data a multiple of 16 bytes in every mode. @throws RangeError for any other length.
   */
  encrypt(mode: ChainingMode, key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array
  decrypt(mode: ChainingMode, key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array
}

/** @throws RangeError unless the lengths are those that {@link Primitives.encrypt} takes. */
export function checkBlocks(key: Uint8Array, iv: Uint8Array, data: Uint8Array): void {
  if (key.length !== 32) throw new RangeError(`an AES-256 key has 32 bytes, not ${key.length}`)
  if (iv.length !== 16) throw new RangeError(`an initialisation vector has 16 bytes, not ${iv.length}`)
  if (data.length % 16 !== 0) throw new RangeError(`AES works on whole blocks of 16 bytes, not on ${data.length}`)
}
