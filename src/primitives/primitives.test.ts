import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { primitives as browser } from './browser.ts'
import { primitives as node } from './node.ts'
import type { ChainingMode, HashName } from './primitives.ts'

const HASHES: HashName[] = ['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha3_256', 'sha3_512']
const MODES: ChainingMode[] = ['cbc', 'ecb', 'cfb', 'ofb', 'ctr']

/** Hash of “abc”: RFC 1321, FIPS 180-4 and FIPS 202 examples. */
const ABC: [HashName, string][] = [
  ['md5', '900150983cd24fb0d6963f7d28e17f72'],
  ['sha1', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['sha256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['sha3_256', '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532'],
]

/** NIST SP 800-38A, appendix F, AES-256: the first block and the initialisation vector or counter that goes with it. */
const NIST_KEY = '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'
const NIST_PLAIN = '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51'
const IV = '000102030405060708090a0b0c0d0e0f'
const NIST: [ChainingMode, iv: string, cipher: string][] = [
  ['ecb', IV, 'f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870'],
  ['cbc', IV, 'f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d'],
  ['cfb', IV, 'dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b'],
  ['ofb', IV, 'dc7e84bfda79164b7ecd8486985d38604febdc6740d20b3ac88f6ad82a4fb08d'],
  ['ctr', 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5'],
]

for (const [name, primitives] of [
  ['node', node],
  ['browser', browser],
] as const) {
  for (const [hash, expected] of ABC) {
    test(`${name}: ${hash} of abc`, () => {
      assert.equal(hex(primitives.digest(hash, new TextEncoder().encode('abc'))), expected)
    })
  }
  for (const [mode, iv, expected] of NIST) {
    test(`${name}: ${mode} as NIST SP 800-38A has it`, () => {
      const encrypted = primitives.encrypt(mode, bytes(NIST_KEY), bytes(iv), bytes(NIST_PLAIN))
      assert.equal(hex(encrypted), expected)
      assert.equal(hex(primitives.decrypt(mode, bytes(NIST_KEY), bytes(iv), encrypted)), NIST_PLAIN)
    })
  }
  test(`${name}: a counter of all ones carries into every byte`, () => {
    const zero = new Uint8Array(32)
    const stream = primitives.encrypt('ctr', zero, new Uint8Array(16).fill(255), zero)
    const block = primitives.encrypt('ecb', zero, new Uint8Array(16), new Uint8Array(16))
    assert.deepEqual(stream.slice(16), block)
  })
  test(`${name}: refuses what is not whole blocks`, () => {
    for (const mode of MODES) {
      assert.throws(
        () => primitives.encrypt(mode, new Uint8Array(32), new Uint8Array(16), new Uint8Array(17)),
        RangeError,
      )
    }
  })
}

for (const hash of HASHES) {
  test(`node and browser agree on ${hash} and on HMAC with it, and with Node’s own`, () => {
    // Key lengths on both sides of each block size: 64, 72, 128, 136.
    for (const keyLength of [1, 20, 63, 64, 65, 71, 72, 73, 127, 128, 129, 136]) {
      const [key, data] = [new Uint8Array(randomBytes(keyLength)), new Uint8Array(randomBytes(keyLength * 3))]
      assert.deepEqual(node.digest(hash, data), browser.digest(hash, data))
      const mac = node.prepareHmac(hash, key)(data)
      assert.deepEqual(mac, browser.prepareHmac(hash, key)(data))
      assert.equal(hex(mac), createHmac(hash.replace('_', '-'), key).update(data).digest('hex'))
    }
  })
}

for (const mode of MODES) {
  test(`node and browser agree on ${mode}`, () => {
    for (let blocks = 0; blocks <= 20; blocks++) {
      const [key, iv, data] = [randomBytes(32), randomBytes(16), randomBytes(16 * blocks)].map((b) => new Uint8Array(b))
      assert.ok(key && iv && data)
      const encrypted = node.encrypt(mode, key, iv, data)
      assert.deepEqual(browser.encrypt(mode, key, iv, data), encrypted)
      assert.deepEqual(browser.decrypt(mode, key, iv, encrypted), data)
      assert.deepEqual(node.decrypt(mode, key, iv, encrypted), data)
    }
  })
}

test('a prepared HMAC may be used again and again, and outlives its key bytes', () => {
  for (const primitives of [node, browser]) {
    const key = new Uint8Array(randomBytes(40))
    const mac = primitives.prepareHmac('sha256', key)
    const first = mac(new Uint8Array(3))
    key.fill(0)
    mac(new Uint8Array(9))
    assert.deepEqual(mac(new Uint8Array(3)), first)
  }
})

test('an HMAC is over as much as is given', () => {
  const [key, data] = [new Uint8Array(randomBytes(40)), new Uint8Array(randomBytes(5000))]
  for (const hash of HASHES) assert.deepEqual(node.prepareHmac(hash, key)(data), browser.prepareHmac(hash, key)(data))
})

test('results are plain arrays, not Buffers', () => {
  const result = node.digest('md5', new Uint8Array(0))
  assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype)
  assert.equal(hex(result), createHash('md5').digest('hex'))
})

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
