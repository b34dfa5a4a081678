/**
 * The primitives over `node:crypto`, in their fastest form: a server spends its time on an HMAC for each key that it
 * tries. One-shot hashes that return a binary string take a third of the time of hash objects that return a Buffer.
 * Cipher keys are KeyObjects: with keys as bytes, Node 24 takes five times as long.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hash } from 'node:crypto'
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

/** The length to which an HMAC key is padded, in bytes. */
const HASH_BLOCK = {
  md5: 64,
  sha1: 64,
  sha256: 64,
  sha384: 128,
  sha512: 128,
  sha3_256: 136,
  sha3_512: 72,
} as const satisfies Record<HashName, number>

const OPENSSL_CIPHER = {
  cbc: 'aes-256-cbc',
  ecb: 'aes-256-ecb',
  cfb: 'aes-256-cfb',
  ofb: 'aes-256-ofb',
  ctr: 'aes-256-ctr',
} as const satisfies Record<ChainingMode, string>

export const primitives: Primitives = {
  digest: (name, data) => bytesOf(hash(OPENSSL_HASH[name], data, 'binary')),

  prepareHmac(name, key) {
    const algorithm = OPENSSL_HASH[name]
    const block = HASH_BLOCK[name]
    const filled = new Uint8Array(block)
    filled.set(key.length > block ? bytesOf(hash(algorithm, key, 'binary')) : key)
    const innerPad = filled.map((byte) => byte ^ 0x36)
    const outerPad = filled.map((byte) => byte ^ 0x5c)
    filled.fill(0)
    return (data, length = data.length) => {
      const inner = bytesOf(hash(algorithm, joined(innerPad, data, length), 'binary'))
      return bytesOf(hash(algorithm, joined(outerPad, inner, inner.length), 'binary'))
    }
  },

  encrypt(mode, key, iv, data) {
    checkBlocks(key, iv, data)
    const cipher = createCipheriv(OPENSSL_CIPHER[mode], createSecretKey(key), mode === 'ecb' ? null : iv)
    cipher.setAutoPadding(false)
    // One update() takes it all. Whole blocks without padding leave nothing for final(), in any mode.
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

/** Holds a pad and the data behind it. One for all calls: nothing here waits, so no two calls overlap. */
let workspace = new Uint8Array(2048)
/** Its beginnings, by their length. Each is made once: a view costs as much as what is done with it. */
let beginnings: Uint8Array[] = []

/** @param length how much of `data` counts. */
function joined(pad: Uint8Array, data: Uint8Array, length: number): Uint8Array {
  const most = pad.length + data.length
  if (most > workspace.length) {
    workspace = new Uint8Array(2 * most)
    beginnings = []
  }
  workspace.set(pad)
  workspace.set(data, pad.length)
  const end = pad.length + length
  beginnings[end] ??= workspace.subarray(0, end)
  return beginnings[end]
}

function bytesOf(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

/** The same bytes without Buffer's methods, so that no caller uses what a browser does not have. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
