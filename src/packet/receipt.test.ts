import assert from 'node:assert/strict'
import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import { encodeText } from '../bytes/text.ts'
import { unixSeconds } from '../units.ts'
import { EncryptionKey, HmacKey } from './key.ts'
import { parseKeyText } from './key-text.ts'
import { openReceipt, RECEIPT_LENGTH, type Receipt, type ReceiptKeys, sealReceipt } from './receipt.ts'
import type { FwknopDigest } from './replay-digest.ts'

const PACKET =
  '8AAAAAAAAAAEyb6oBOur4aCyx3oONiC6Z9eiu78gOwa2+jv2tyAhbRvU1r21d2YXZNUcTf2tC097QrySM' +
  'VYQNFiqQ8nxt7xSXziVVs860vOgS0wCmskOJR/n09ngYeCN5EjBA8eqDt0Ax0tPTL0h/vvj1j3pFzaGQA'
const SALT = Uint8Array.from({ length: 16 }, (_, i) => i)
const serverTime = unixSeconds(1_795_410_748)
const OPEN: Receipt = { verdict: 'open', serverTime, until: unixSeconds(1_795_410_778) }
const REFUSED: Receipt = { verdict: 'refused', serverTime, code: 'ACCESS_DESTINATION_DENIED' }

/** docs/WIRE.md § 16 has the first two. Calculated by {@link independently} too. */
const VECTORS: readonly (readonly [name: string, keys: ReceiptKeys, receipt: Receipt, datagram: string])[] = [
  [
    'open',
    both(),
    OPEN,
    'AAECAwQFBgcICQoLDA0OD92X1QB+/c/NyKnU3bf5EZiNPHjzPC1N5r+rP7qjizPLs7D2x6GV0Jmr9aQSCmfTx8RyBnsXMHOImGklyxArMdrewhe0RIDkdIUwwqsmJGVC',
  ],
  [
    'refused',
    both(),
    REFUSED,
    'AAECAwQFBgcICQoLDA0OD92W1QB+/c/NyKm/3nyjUNvOeSugY2kItevicfv3wnyF7PSziejQlJmr9aQSCmfTxw+FT8/byz1qEN82R006XeQDsy2NMW/CQrRn3qEMWm+5',
  ],
  [
    'a command',
    both(),
    { verdict: 'done', serverTime },
    'AAECAwQFBgcICQoLDA0OD92U1QB+/c/NyKm/3nyjEZiNPHjzPC1N5r+rP7qjizPLs7D2x6GV0Jmr9aQSCmfTx5PICChGKy6ZKRkULI5Hyo+oYLa/DQCMUH63Bzo0MgNP',
  ],
  [
    'a closing knock',
    both(),
    { verdict: 'closed', serverTime },
    'AAECAwQFBgcICQoLDA0OD92V1QB+/c/NyKm/3nyjEZiNPHjzPC1N5r+rP7qjizPLs7D2x6GV0Jmr9aQSCmfTx8dNo01cPegm37GsRng0UVXvkbdscPbpMO68hSWgc23I',
  ],
  [
    'without an HMAC key',
    { encryption: both().encryption },
    OPEN,
    'AAECAwQFBgcICQoLDA0OD3EdMwCgEJlvBNaPRSVjZWgSV67ZDuvUsiwleW77V1/urslwFKzWgo5BxJAAF4xlYYPgDb/L8DqhQQPm0a+2k5u5EpNRjJ/rjp6/N/Zce7qB',
  ],
  [
    'of GnuPG, so with an HMAC key only',
    { hmac: both().hmac },
    OPEN,
    'AAECAwQFBgcICQoLDA0OD3wPKWud0bZm0Ppno0NcTkCNGKTHKm42PlLpBKiw6wzCMxLMv0uHJcoS/kAVO1SY+ZJ6ASugjp8RRlMAJe7AAYVa+pm7cwZFV8tD9CMUJ/mk',
  ],
]

for (const [name, keys, receipt, datagram] of VECTORS) {
  test(`a receipt is sealed as the page says: ${name}`, () => {
    assert.equal(seal(keys, receipt), datagram)
    assert.equal(independently(keys, receipt), datagram)
  })
  test(`and opened: ${name}`, () => {
    assert.deepEqual(openReceipt(PACKET, keys, datagram), { ok: true, value: receipt })
  })
}

test('each has the same length, and another salt gives another text', () => {
  const one = seal(both(), OPEN)
  const other = sealReceipt(digestOf(PACKET), both(), OPEN, SALT.toReversed()) ?? ''
  assert.deepEqual(new Set(VECTORS.map(([, keys, receipt]) => seal(keys, receipt).length)), new Set([RECEIPT_LENGTH]))
  assert.notEqual(one.slice(22), other.slice(22))
})

test('no bit of it can be changed', () => {
  const datagram = Buffer.from(seal(both(), OPEN), 'base64')
  for (let bit = 0; bit < datagram.length * 8; bit++) {
    const changed = Buffer.from(datagram)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.equal(codeOf(openReceipt(PACKET, both(), changed.toString('base64'))), 'RECEIPT_INVALID', `bit ${bit}`)
  }
})

test('it is for one packet: the same keys do not open it for another', () => {
  assert.equal(codeOf(openReceipt(`${PACKET}A`, both(), seal(both(), OPEN))), 'RECEIPT_INVALID')
})

const others: readonly (readonly [string, ReceiptKeys])[] = [
  ['another encryption key', { ...both(), encryption: { key: keyOf(EncryptionKey, 'eins'), mode: 'CBC' } }],
  ['another HMAC key', { ...both(), hmac: { key: keyOf(HmacKey, 'zwei'), type: 'md5' } }],
  ['no encryption key', { hmac: both().hmac }],
  ['no HMAC key', { encryption: both().encryption }],
  ['no key', {}],
  [
    'the same characters, parted otherwise',
    {
      encryption: { key: keyOf(EncryptionKey, 'on'), mode: 'CBC' },
      hmac: { key: keyOf(HmacKey, 'etwo'), type: 'md5' },
    },
  ],
]
for (const [name, keys] of others)
  test(`who has ${name} cannot open it`, () => {
    assert.equal(codeOf(openReceipt(PACKET, keys, seal(both(), OPEN))), 'RECEIPT_INVALID')
  })

test('without any key, there is no receipt', () => {
  assert.equal(sealReceipt(digestOf(PACKET), {}, OPEN, SALT), undefined)
})

test('in mode legacy, the bytes count that both ends use', () => {
  const long: ReceiptKeys = { encryption: { key: keyOf(EncryptionKey, '0123456789abcdefTAIL'), mode: 'legacy' } }
  const short: ReceiptKeys = { encryption: { key: keyOf(EncryptionKey, '0123456789abcdef'), mode: 'legacy' } }
  assert.ok(openReceipt(PACKET, short, seal(long, OPEN)).ok)
})

const foreign: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['too short', 'A'.repeat(127)],
  ['too long', 'A'.repeat(129)],
  ['not base64', '*'.repeat(128)],
  ['filler', 'A'.repeat(128)],
  ['not ASCII', 'ä'.repeat(128)],
]
for (const [name, datagram] of foreign)
  test(`what came back is no receipt: ${name}`, () => {
    assert.equal(codeOf(openReceipt(PACKET, both(), datagram)), 'RECEIPT_INVALID')
  })

const unreadable: readonly (readonly [string, (content: Uint8Array) => void])[] = [
  ['another version', (content) => content.fill(2, 0, 1)],
  ['another verdict', (content) => content.fill(9, 1, 2)],
  ['a refusal without a code', (content) => content.fill(0, 1, 2)],
  ['a code that is none', (content) => content.set(encodeText('A <b>'), 14)],
]
for (const [name, change] of unreadable)
  test(`an authentic receipt with ${name} is refused`, () => {
    const keys = both()
    const content = contentOf(name.startsWith('a code') ? REFUSED : OPEN)
    change(content)
    assert.equal(codeOf(openReceipt(PACKET, keys, sealContent(keys, content))), 'RECEIPT_INVALID')
  })

test('a code that does not fit is a mistake of the caller', () => {
  assert.throws(() => seal(both(), { ...REFUSED, code: 'A'.repeat(35) }), RangeError)
  assert.ok(seal(both(), { ...REFUSED, code: 'A'.repeat(34) }))
})

test('times past 2106 fit', () => {
  const receipt: Receipt = { verdict: 'open', serverTime: unixSeconds(2 ** 48 - 1), until: unixSeconds(2 ** 33) }
  assert.deepEqual(openReceipt(PACKET, both(), seal(both(), receipt)), { ok: true, value: receipt })
})

function both() {
  return {
    encryption: { key: keyOf(EncryptionKey, 'one'), mode: 'CBC' },
    hmac: { key: keyOf(HmacKey, 'two'), type: 'md5' },
  } as const
}

function seal(keys: ReceiptKeys, receipt: Receipt): string {
  const sealed = sealReceipt(digestOf(PACKET), keys, receipt, SALT)
  assert.ok(sealed !== undefined)
  return sealed
}

/** As the page says it, in the words of `node:crypto`. */
function independently(keys: ReceiptKeys, receipt: Receipt): string {
  return sealContent(keys, contentOf(receipt))
}

function contentOf(receipt: Receipt): Buffer {
  const content = Buffer.alloc(48)
  content.writeUInt8(1, 0)
  content.writeUInt8({ refused: 0, open: 1, done: 2, closed: 3 }[receipt.verdict], 1)
  content.writeUIntBE(receipt.serverTime, 2, 6)
  if (receipt.verdict === 'open') content.writeUIntBE(receipt.until, 8, 6)
  if (receipt.verdict === 'refused') content.write(receipt.code, 14, 'ascii')
  return content
}

/** The keys of the vectors are `one` and `two`. */
function sealContent(keys: ReceiptKeys, content: Uint8Array): string {
  const e = Buffer.from(keys.encryption === undefined ? '' : 'one')
  const h = Buffer.from(keys.hmac === undefined ? '' : 'two')
  const secret = Buffer.concat([Buffer.from([e.length]), e, Buffer.from([h.length]), h])
  const digest = createHash('sha256').update(PACKET).digest()
  const derived = Buffer.from(hkdfSync('sha256', secret, 'ghostport receipt 1', digest, 64))
  const cipher = createCipheriv('aes-256-ctr', derived.subarray(0, 32), SALT)
  const sealed = Buffer.concat([SALT, cipher.update(content), cipher.final()])
  const tag = createHmac('sha256', derived.subarray(32)).update(sealed).digest()
  return Buffer.concat([sealed, tag]).toString('base64')
}

function digestOf(packet: string): FwknopDigest {
  return createHash('sha256').update(packet).digest('base64').replace('=', '') as FwknopDigest
}

function keyOf<Key>(kind: Parameters<typeof parseKeyText<Key & (EncryptionKey | HmacKey)>>[0], text: string) {
  const key = parseKeyText(kind, text)
  assert.ok(key.ok)
  return key.value
}

function codeOf(opened: ReturnType<typeof openReceipt>): string {
  return opened.ok ? 'opened' : opened.failure.code
}
