/** The primitives over the noble libraries: plain JavaScript, for browsers and other systems without `node:crypto`. */
import { cbc, cfb, ctr, ecb } from '@noble/ciphers/aes.js'
import { hmac } from '@noble/hashes/hmac.js'
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { sha3_256, sha3_512 } from '@noble/hashes/sha3.js'
import type { CHash } from '@noble/hashes/utils.js'
import { type ChainingMode, checkBlocks, type HashName, type Primitives } from './primitives.ts'

const HASHES = { md5, sha1, sha256, sha384, sha512, sha3_256, sha3_512 } as const satisfies Record<HashName, CHash>

export const primitives: Primitives = {
  digest: (name, data) => HASHES[name](data),

  prepareHmac(name, key) {
    const keyed = hmac.create(HASHES[name], key)
    return (data, length = data.length) => keyed.clone().update(data.subarray(0, length)).digest()
  },

  encrypt(mode, key, iv, data) {
    checkBlocks(key, iv, data)
    return mode === 'ofb' ? applyOfb(key, iv, data) : cipher(mode, key, iv).encrypt(data)
  },

  decrypt(mode, key, iv, data) {
    checkBlocks(key, iv, data)
    return mode === 'ofb' ? applyOfb(key, iv, data) : cipher(mode, key, iv).decrypt(data)
  },
}

function cipher(mode: Exclude<ChainingMode, 'ofb'>, key: Uint8Array, iv: Uint8Array) {
  switch (mode) {
    case 'cbc':
      return cbc(key, iv, { disablePadding: true })
    case 'ecb':
      return ecb(key, { disablePadding: true })
    case 'cfb':
      return cfb(key, iv)
    case 'ctr':
      return ctr(key, iv)
    default:
      return mode satisfies never
  }
}

/**
 * NIST SP 800-38A § 6.4: the key stream is the initialisation vector, encrypted again for each block. Encrypts and
 * decrypts.
 */
function applyOfb(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const output = new Uint8Array(data.length)
  let feedback: Uint8Array = iv
  for (let start = 0; start < data.length; start += 16) {
    feedback = ecb(key, { disablePadding: true }).encrypt(feedback)
    for (let i = 0; i < 16; i++) output[start + i] = (data[start + i] ?? 0) ^ (feedback[i] ?? 0)
  }
  return output
}
