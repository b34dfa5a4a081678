/**
 * The primitives over `node:crypto`. Keys are KeyObjects throughout: Node 24 takes about five times as long for an HMAC
 * or a cipher whose key is given as bytes.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hash } from 'node:crypto'
import { type ChainingMode, checkBlocks, type HashName, type Primitives } from './primitives.ts'

const OPENSSL_HASH = {
  md5: 'md5',
  sha1: 'sha1',
  sha256: 'sha256',
  sha384: 'sha384',
  sha512: 'sha512',
  sha3_256: 'sha3-256',
  sha3_512: 'sha3-512',
} as const satisfies Record<HashName, string>

const OPENSSL_CIPHER = {
  cbc: 'aes-256-cbc',
  ecb: 'aes-256-ecb',
  cfb: 'aes-256-cfb',
  ofb: 'aes-256-ofb',
  ctr: 'aes-256-ctr',
} as const satisfies Record<ChainingMode, string>

export const primitives: Primitives = {
  digest: (name, data) => plain(hash(OPENSSL_HASH[name], data, 'buffer')),

  prepareHmac(name, key) {
    const algorithm = OPENSSL_HASH[name]
    const secret = createSecretKey(key)
    return (data) => plain(createHmac(algorithm, secret).update(data).digest())
  },

  encrypt(mode, key, iv, data) {
    checkBlocks(key, iv, data)
    const cipher = createCipheriv(OPENSSL_CIPHER[mode], createSecretKey(key), mode === 'ecb' ? null : iv)
    cipher.setAutoPadding(false)
    // One update() takes it all: unpadded whole blocks leave final() nothing to add, in any mode.
    const encrypted = cipher.update(data)
    cipher.final()
    return plain(encrypted)
  },

  decrypt(mode, key, iv, data) {
    checkBlocks(key, iv, data)
    const decipher = createDecipheriv(OPENSSL_CIPHER[mode], createSecretKey(key), mode === 'ecb' ? null : iv)
    decipher.setAutoPadding(false)
    const decrypted = decipher.update(data)
    decipher.final()
    return plain(decrypted)
  },
}

/** The same bytes without Buffer's methods, so that nobody comes to rely on what the browser does not have. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
