import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { encodeText, latin1Bytes } from '../bytes/text.ts'
import { DIGEST_TYPES } from './digest-type.ts'
import { encodeFields, type MessageFields, type MessageType, parseFields } from './fields.ts'
import type { StrictnessRule } from './strictness.ts'

const RAND = '1234567890123456'
const USER = b64('alice')
const MESSAGE = b64('10.1.2.3,tcp/22')
const NAT = b64('192.168.10.5,22')
const AUTH = b64('crypt,secret')
const HEAD = `${RAND}:${USER}:1795410748:3.0.0`

const readable: [text: string, expected: Partial<MessageFields>][] = [
  [
    `${HEAD}:1:${MESSAGE}`,
    { messageType: 1, message: '10.1.2.3,tcp/22', natAccess: null, serverAuth: null, clientTimeout: 0 },
  ],
  [`${HEAD}:1:${MESSAGE}:${AUTH}`, { serverAuth: 'crypt,secret' }],
  [`${HEAD}:2:${MESSAGE}:${NAT}`, { natAccess: '192.168.10.5,22', serverAuth: null }],
  [`${HEAD}:2:${MESSAGE}:${NAT}:${AUTH}`, { natAccess: '192.168.10.5,22', serverAuth: 'crypt,secret' }],
  [`${HEAD}:3:${MESSAGE}:30`, { serverAuth: null, clientTimeout: 30 }],
  [`${HEAD}:3:${MESSAGE}:${AUTH}:30`, { serverAuth: 'crypt,secret', clientTimeout: 30 }],
  [`${HEAD}:4:${MESSAGE}:${NAT}:65536`, { natAccess: '192.168.10.5,22', clientTimeout: 65536 }],
  [
    `${HEAD}:6:${MESSAGE}:${NAT}:${AUTH}:0`,
    { natAccess: '192.168.10.5,22', serverAuth: 'crypt,secret', clientTimeout: 0 },
  ],
  [`${HEAD}:0:${b64('10.1.2.3,echo é: a,b')}`, { messageType: 0, message: '10.1.2.3,echo é: a,b' }],
  [
    `${RAND}:${padded('alice')}:0:1.9.12:1:${padded('1.1.1.1,tcp/22,tcp/23')}`,
    { username: 'alice', version: '1.9.12', timestamp: 0 },
  ],
]
for (const [text, expected] of readable) {
  test(`${text} is read`, () => {
    const fields = parseFields(withDigest(text))
    assert.ok(fields.ok, JSON.stringify(fields))
    assert.equal(fields.value.randVal, RAND)
    assert.deepEqual({ ...fields.value, ...expected }, fields.value)
  })
}

const refused: [what: string, text: string, rule?: StrictnessRule][] = [
  ['too few fields', `${HEAD}:1`],
  ['type 1 with three fields more', `${HEAD}:1:${MESSAGE}:${AUTH}:${AUTH}`],
  ['type 2 without a NAT target', `${HEAD}:2:${MESSAGE}`],
  ['type 4 without a timeout', `${HEAD}:4:${MESSAGE}:${NAT}`],
  ['type 6 with too much', `${HEAD}:6:${MESSAGE}:${NAT}:${AUTH}:${AUTH}:30`],
  ['no type', `${HEAD}::${MESSAGE}`],
  ['type 7', `${HEAD}:7:${MESSAGE}`],
  ['type 89', `${HEAD}:89:${MESSAGE}`],
  ['type 91', `${HEAD}:91:${MESSAGE}`],
  ['a close with a timeout', `${HEAD}:90:${MESSAGE}:${b64('crypt,x')}:30`],
  ['type -1', `${HEAD}:-1:${MESSAGE}`, 'plain-number'],
  ['type 001', `${HEAD}:001:${MESSAGE}`],
  ['type 01', `${HEAD}:01:${MESSAGE}`, 'plain-number'],
  ['type x', `${HEAD}:x:${MESSAGE}`, 'plain-number'],
  ['no user', `${RAND}::1795410748:3.0.0:1:${MESSAGE}`],
  ['a user of 65 characters', `${RAND}:${'YWFh'.repeat(16)}Y:1795410748:3.0.0:1:${MESSAGE}`],
  ['a user in wrong base64', `${RAND}:Ym9i==:1795410748:3.0.0:1:${MESSAGE}`, 'inner-base64'],
  ['a user with stray bits', `${RAND}:Ym9ieh:1795410748:3.0.0:1:${MESSAGE}`, 'inner-base64'],
  ['a user in no text', `${RAND}:${b64latin1('\xe9')}:1795410748:3.0.0:1:${MESSAGE}`, 'text-is-utf8'],
  ['a user with a NUL', `${RAND}:${b64('a\0b')}:1795410748:3.0.0:1:${MESSAGE}`, 'text-is-utf8'],
  ['a time of 13 digits', `${RAND}:${USER}:1795410748000:3.0.0:1:${MESSAGE}`],
  ['a time before 1970', `${RAND}:${USER}:-1:3.0.0:1:${MESSAGE}`, 'plain-number'],
  ['a time of letters', `${RAND}:${USER}:abc:3.0.0:1:${MESSAGE}`, 'plain-number'],
  ['a time with a zero before it', `${RAND}:${USER}:01795410748:3.0.0:1:${MESSAGE}`, 'plain-number'],
  ['a time and a letter', `${RAND}:${USER}:1795410748x:3.0.0:1:${MESSAGE}`, 'plain-number'],
  ['no version', `${RAND}:${USER}:1795410748::1:${MESSAGE}`],
  ['a version of nine characters', `${RAND}:${USER}:1795410748:1.2.3.4.5:1:${MESSAGE}`],
  ['a message of 257 characters', `${HEAD}:1:${'YWFh'.repeat(64)}Y`],
  ['no message', `${HEAD}:1:`],
  ['a timeout of 65537', `${HEAD}:3:${MESSAGE}:65537`],
  ['an endless timeout', `${HEAD}:3:${MESSAGE}:${'9'.repeat(30)}`],
  ['no timeout', `${HEAD}:3:${MESSAGE}:`],
  ['a timeout of letters', `${HEAD}:3:${MESSAGE}:abc`, 'plain-number'],
  ['a timeout with zeros before it', `${HEAD}:3:${MESSAGE}:030`, 'plain-number'],
  ['15 digits at the start', `${RAND.slice(1)}:${USER}:1795410748:3.0.0:1:${MESSAGE}`],
]
for (const [what, text, rule] of refused) {
  test(`${what} is refused`, () => {
    const fields = parseFields(withDigest(text))
    assert.ok(!fields.ok)
    assert.equal(fields.failure.code, 'SPA_FIELD_INVALID')
    assert.equal(fields.failure.rule, rule)
  })
}

test('a byte that is not printable is refused before anything is hashed', () => {
  for (const byte of ['\0', '\n', '\x1f', '\x7f', '\x80']) {
    const fields = parseFields(latin1Bytes(`${HEAD}:1:${MESSAGE}:${byte}${'A'.repeat(42)}`) ?? new Uint8Array())
    assert.ok(!fields.ok)
    assert.equal(fields.failure.code, 'SPA_FIELD_INVALID')
  }
})

test('lengths: 36 to 1499 bytes', () => {
  for (const length of [0, 35, 1500]) assert.equal(parseFields(encodeText('1'.repeat(length))).ok, false)
})

const TEXT = `${HEAD}:1:${MESSAGE}`
const digests: [what: string, digest: string][] = [
  ['of other text', digestOf('sha256', `${TEXT} `)],
  ['in hexadecimal', createHash('sha256').update(TEXT).digest('hex')],
  ['with its “=”', `${digestOf('sha256', TEXT)}=`],
  ['of a type that is not among them', digestOf('sha224', TEXT)],
  ['cut short', digestOf('sha256', TEXT).slice(0, -1)],
  ['that is empty', ''],
]
for (const [what, digest] of digests) {
  test(`a digest ${what} is refused`, () => {
    const fields = parseFields(encodeText(`${TEXT}:${digest}`))
    assert.ok(!fields.ok)
    assert.equal(fields.failure.code, 'SPA_DIGEST_MISMATCH')
  })
}

for (const digestType of DIGEST_TYPES) {
  test(`${digestType} is recognised without being told`, () => {
    const fields = parseFields(encodeText(`${TEXT}:${digestOf(digestType.replace('_', '-'), TEXT)}`))
    assert.ok(fields.ok)
    assert.equal(fields.value.digestType, digestType)
  })
}

test('what is written is read back, padded or not, in every type', () => {
  for (const messageType of [0, 1, 2, 3, 4, 5, 6, 90] as const satisfies readonly MessageType[]) {
    for (const serverAuth of [null, 'crypt,x']) {
      const nat = [2, 4, 5, 6].includes(messageType)
      const timed = [3, 4, 6].includes(messageType)
      const fields: MessageFields = {
        randVal: RAND,
        username: 'bob',
        timestamp: 1795410748,
        version: '3.0.0',
        messageType,
        message: '10.1.2.3,tcp/22',
        natAccess: nat ? '10.0.0.1,22' : null,
        serverAuth,
        clientTimeout: timed ? 30 : 0,
      }
      for (const padded of [true, false]) {
        const read = parseFields(encodeFields(fields, { digestType: 'sha1', padded }))
        assert.ok(read.ok, JSON.stringify(read))
        const { digest: _, ...rest } = read.value
        assert.deepEqual(rest, { ...fields, digestType: 'sha1' })
      }
    }
  }
})

function withDigest(text: string): Uint8Array {
  return encodeText(`${text}:${digestOf('sha256', text)}`)
}
function digestOf(hash: string, text: string): string {
  return createHash(hash).update(text).digest('base64').replaceAll('=', '')
}
function b64(text: string): string {
  return padded(text).replaceAll('=', '')
}
function padded(text: string): string {
  return Buffer.from(text).toString('base64')
}
function b64latin1(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64').replaceAll('=', '')
}
