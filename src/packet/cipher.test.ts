import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { test } from 'node:test'
import { primitives } from '#primitives'
import { concatBytes } from '../bytes/bytes.ts'
import { encodeText } from '../bytes/text.ts'
import { decryptPadded, type Encryption, encrypt, isSalted, unpad } from './cipher.ts'
import { ENCRYPTION_MODES, type EncryptionMode } from './encryption-mode.ts'
import { EncryptionKey } from './key.ts'
import { parseKeyText } from './key-text.ts'

const SALT = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const TEXT = encodeText('a plaintext of more than one block')

test('CBC is what openssl enc -aes-256-cbc -md md5 writes', () => {
  const { key, iv } = evpBytesToKey(Buffer.from('passphrase'))
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const expected = Buffer.concat([Buffer.from('Salted__'), SALT, cipher.update(TEXT), cipher.final()])
  assert.deepEqual(encrypt(TEXT, { key: keyOf('passphrase'), mode: 'CBC' }, SALT), new Uint8Array(expected))
})

for (const mode of ENCRYPTION_MODES) {
  test(`${mode}: padded to whole blocks, and read back`, () => {
    const encryption = { key: keyOf('passphrase'), mode }
    for (const length of [0, 1, 15, 16, 17, 287]) {
      const text = new Uint8Array(length).fill(0x61)
      const encrypted = encrypt(text, encryption, SALT)
      assert.equal(encrypted.length, 16 + 16 * Math.floor(length / 16 + 1))
      assert.ok(isSalted(encrypted))
      assert.deepEqual(decrypt(encrypted, encryption), text)
    }
  })
}

const coinciding: [what: string, legacy: string, cbc: string][] = [
  ['shorter keys are filled up with the digit 0', 'short', 'short00000000000'],
  ['longer keys are cut', 'sixteen byte keyand more', 'sixteen byte key'],
  ['keys of 16 bytes are the same in CBC', 'sixteen byte key', 'sixteen byte key'],
]
for (const [what, legacy, cbc] of coinciding) {
  test(`legacy: ${what}`, () => {
    const encrypted = encrypt(TEXT, { key: keyOf(legacy), mode: 'legacy' }, SALT)
    assert.deepEqual(encrypted, encrypt(TEXT, { key: keyOf(cbc), mode: 'CBC' }, SALT))
  })
}

const paddings: [what: string, end: number[], taken: boolean][] = [
  ['1', [1], true],
  ['2 2', [2, 2], true],
  ['16 times 16', new Array<number>(16).fill(16), true],
  ['0', [0], false],
  ['3 2 2', [3, 2, 3], false],
  ['17 times 17', new Array<number>(17).fill(17), false],
  ['zeros', [0, 0, 0, 0], false],
  ['none', [0x61], false],
]
for (const [what, end, taken] of paddings) {
  test(`padding of ${what} is ${taken ? 'taken' : 'refused'}`, () => {
    const length = 48 - end.length
    const padded = concatBytes(new Uint8Array(length).fill(0x61), Uint8Array.from(end))
    const { key, iv } = evpBytesToKey(Buffer.from('passphrase'))
    const encrypted = primitives.encrypt('cbc', new Uint8Array(key), new Uint8Array(iv), padded)
    const ciphertext = concatBytes(encodeText('Salted__'), SALT, encrypted)
    const text = decrypt(ciphertext, { key: keyOf('passphrase'), mode: 'CBC' })
    assert.equal(text?.length, taken ? length : undefined)
  })
}

test('what is not whole blocks does not decrypt', () => {
  const encryption = { key: keyOf('passphrase'), mode: 'CTR' as EncryptionMode }
  assert.equal(decrypt(encrypt(TEXT, encryption, SALT).subarray(0, -1), encryption), undefined)
})

test('what has no salt, or nothing after it, is no ciphertext', () => {
  assert.equal(isSalted(encodeText('Salted__12345678')), false)
  assert.equal(isSalted(encodeText('Salted_O1234567812345678')), false)
})

function decrypt(ciphertext: Uint8Array, encryption: Encryption): Uint8Array | undefined {
  const padded = decryptPadded(ciphertext, encryption)
  return padded === undefined ? undefined : unpad(padded)
}

/** The same rule written again, with Node's own hash. */
function evpBytesToKey(passphrase: Buffer): { key: Buffer; iv: Buffer } {
  const md5 = (...parts: Uint8Array[]) => createHash('md5').update(Buffer.concat(parts)).digest()
  const first = md5(passphrase, SALT)
  const second = md5(first, passphrase, SALT)
  return { key: Buffer.concat([first, second]), iv: md5(second, passphrase, SALT) }
}

function keyOf(text: string): EncryptionKey {
  const key = parseKeyText(EncryptionKey, text)
  assert.ok(key.ok)
  return key.value
}
