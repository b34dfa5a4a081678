import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeText } from '../bytes/text.ts'
import { port, seconds, unixSeconds } from '../units.ts'
import { DIGEST_TYPES, type DigestType } from './digest-type.ts'
import type { EncryptionMode } from './encryption-mode.ts'
import { parseEnvelope } from './envelope.ts'
import { EncryptionKey, HmacKey } from './key.ts'
import { parseKeyText } from './key-text.ts'
import type { OutgoingMessage } from './message-fields.ts'
import { openPacket, type PacketKeys } from './open.ts'
import { sealPacket } from './seal.ts'
import { parseUsername } from './username.ts'

const alice = parseUsername('alice')
assert.ok(alice.ok)
const MESSAGE = {
  kind: 'access',
  random: '1234567890123456',
  username: alice.value,
  timestamp: unixSeconds(1795410748),
  source: 'packet-source',
  ports: [{ protocol: 'tcp', port: port(22) }],
} as const satisfies OutgoingMessage
const HEADER = { random: MESSAGE.random, username: alice.value, timestamp: MESSAGE.timestamp, source: MESSAGE.source }
const KEYS: PacketKeys = {
  encryption: encryption('CBC', 'passphrase'),
  hmac: { key: hmacKey('another'), type: 'sha256' },
}
const SHA256 = { digestType: 'sha256', salt: new Uint8Array(8) } as const

const refusedMessages: [what: string, message: OutgoingMessage][] = [
  ['15 digits', { ...MESSAGE, random: '123456789012345' }],
  ['17 digits', { ...MESSAGE, random: '12345678901234567' }],
  ['a letter among the digits', { ...MESSAGE, random: '123456789012345x' }],
  ['no port', { ...MESSAGE, ports: [] }],
  ['a timeout past what fwknopd reads', { ...MESSAGE, timeout: seconds(65537) }],
  ['a time of 13 digits', { ...MESSAGE, timestamp: unixSeconds(1795410748000) }],
  ['an empty command', { kind: 'command', ...HEADER, command: '' }],
  ['a command with a NUL', { kind: 'command', ...HEADER, command: 'a\0b' }],
  ['a command of 185 bytes', { kind: 'command', ...HEADER, command: 'x'.repeat(185) }],
  ['half a surrogate pair', { kind: 'command', ...HEADER, command: 'echo \ud83d' }],
  ['digits that bring fields along', { ...MESSAGE, random: '1234567890123456:YWxpY2U' }],
  ['a host with a comma', { ...MESSAGE, kind: 'localNatAccess', localPort: port(22), host: 'a,b' }],
  ['no host', { ...MESSAGE, kind: 'localNatAccess', localPort: port(22), host: '' }],
  ['a host of 71 characters', { ...MESSAGE, kind: 'localNatAccess', localPort: port(22), host: 'a'.repeat(71) }],
  ['a name that is none', { ...MESSAGE, kind: 'natAccess', target: { host: { name: 'a b' }, port: port(22) } }],
  ['an empty relic', { ...MESSAGE, serverAuth: '' }],
  ['twenty ports', { ...MESSAGE, ports: new Array(20).fill({ protocol: 'tcp', port: port(60000) }) }],
]
for (const [what, message] of refusedMessages) {
  test(`does not seal ${what}`, () => {
    const sealed = sealPacket(message, KEYS, SHA256)
    assert.ok(!sealed.ok)
    assert.equal(sealed.failure.code, 'SPA_MESSAGE_INVALID')
  })
}

test('does not seal with one key for both', () => {
  const sealed = sealPacket(MESSAGE, { ...KEYS, hmac: { key: hmacKey('passphrase'), type: 'sha256' } }, SHA256)
  assert.ok(!sealed.ok)
  assert.equal(sealed.failure.code, 'KEY_INVALID')
})

test('a salt of another length is a mistake of the caller', () => {
  assert.throws(() => sealPacket(MESSAGE, KEYS, { digestType: 'md5', salt: new Uint8Array(7) }), RangeError)
})

for (const protocol of ['', '3', '3.0.0.0', 'x', '1.9.12 ', '10.10.10.10', '3.0.0:'])
  test(`${JSON.stringify(protocol)} is no protocol`, () => {
    const sealed = sealPacket(MESSAGE, KEYS, { ...SHA256, protocol })
    assert.ok(!sealed.ok)
    assert.equal(sealed.failure.code, 'SPA_MESSAGE_INVALID')
  })

/** The longest plaintexts below 400 characters (docs/WIRE.md § 7). Each ends one byte before the end of a block. */
const longest: [hmac: DigestType | undefined, bytes: number][] = [
  [undefined, 287],
  ['md5', 271],
  ['sha1', 255],
  ['sha256', 255],
  ['sha3_256', 255],
  ['sha384', 239],
  ['sha512', 223],
  ['sha3_512', 223],
]
for (const [type, bytes] of longest) {
  test(`with ${type ?? 'no HMAC'}, ${bytes} bytes are the most`, () => {
    const keys = { encryption: KEYS.encryption, ...(type && { hmac: { key: hmacKey('another'), type } }) }
    assert.ok(sealPacket(ofLength(bytes), keys, SHA256).ok)
    const tooLong = sealPacket(ofLength(bytes + 1), keys, SHA256)
    assert.ok(!tooLong.ok)
    assert.match(tooLong.failure.detail, /GnuPG/)
  })
}

test('a command may be longer than 400 with its HMAC, for a stanza that runs commands', () => {
  const command = { kind: 'command', ...HEADER, command: `echo ${'c'.repeat(120)}` } as const
  const sealed = sealPacket(command, KEYS, SHA256)
  assert.ok(sealed.ok)
  assert.ok(sealed.value.length >= 400)
  const envelope = parseEnvelope(encodeText(sealed.value), { http: 'off' })
  assert.ok(envelope.ok)
  assert.ok(openPacket(envelope.value, KEYS, { commands: true }).ok)
  const without = openPacket(envelope.value, KEYS)
  assert.ok(!without.ok)
  assert.equal(without.failure.code, 'SPA_LENGTH')
})

test('what would be shorter than servers look at is not sealed', () => {
  const tiny = parseUsername('a')
  assert.ok(tiny.ok)
  const command = { kind: 'command', ...HEADER, username: tiny.value, command: 'w' } as const
  const { encryption } = KEYS
  const sealed = sealPacket(command, { encryption }, { ...SHA256, digestType: 'md5' })
  assert.ok(!sealed.ok)
  assert.match(sealed.failure.detail, /118 characters/)
  assert.ok(sealPacket(command, { encryption }, SHA256).ok)
})

test('every packet begins with one of 8 9 + /', () => {
  for (let salt = 0; salt < 256; salt++) {
    const sealed = sealPacket(MESSAGE, KEYS, { digestType: 'sha256', salt: new Uint8Array(8).fill(salt) })
    assert.ok(sealed.ok)
    assert.match(sealed.value, /^[89+/]/)
  }
})

const to1912: [what: string, keys: PacketKeys, digestType: DigestType, sealed: boolean][] = [
  ['legacy with 8 bytes', { encryption: encryption('legacy', '8 bytes.') }, 'md5', true],
  ['legacy with 16 bytes', { encryption: encryption('legacy', 'sixteen byte key') }, 'sha1', true],
  ['CBC with 16 bytes', { encryption: encryption('CBC', 'sixteen byte key') }, 'sha256', true],
  ['CBC with 20 bytes', { encryption: encryption('CBC', 'a key of twenty byte') }, 'sha256', true],
  ['7 bytes', { encryption: encryption('legacy', '7 bytes') }, 'sha256', false],
  ['legacy with 17 bytes', { encryption: encryption('legacy', 'seventeen bytekey') }, 'sha256', false],
  ['CBC with 15 bytes', { encryption: encryption('CBC', 'fifteen bytekey') }, 'sha256', false],
  ['CTR', { encryption: encryption('CTR', 'sixteen byte key') }, 'sha256', false],
  ['an HMAC', { ...KEYS, encryption: encryption('CBC', 'sixteen byte key') }, 'sha256', false],
  ['SHA-384', { encryption: encryption('CBC', 'sixteen byte key') }, 'sha384', false],
]
for (const [what, keys, digestType, expected] of to1912) {
  test(`1.9.12 ${expected ? 'can' : 'cannot'} read ${what}`, () => {
    const sealed = sealPacket(MESSAGE, keys, { digestType, salt: new Uint8Array(8), protocol: '1.9.12' })
    assert.equal(sealed.ok, expected, JSON.stringify(sealed))
  })
}

test('an old server of the 2.0 line is sent its version, and its fields as 2.6 has them', () => {
  const keys = { encryption: encryption('legacy', 'passphrase') }
  const sealed = sealPacket(MESSAGE, keys, { ...SHA256, protocol: '2.0' })
  assert.ok(sealed.ok)
  const envelope = parseEnvelope(encodeText(sealed.value), { http: 'off' })
  assert.ok(envelope.ok)
  const opened = openPacket(envelope.value, keys)
  assert.ok(opened.ok)
  assert.equal(opened.value.fields.version, '2.0')
})

/** A message whose plaintext, SHA-256 digest and all, has this many bytes. */
function ofLength(bytes: number): OutgoingMessage {
  // Ports cost four characters of base64 for each three of text; the old server-auth text and the time make up the
  // rest.
  for (let ports = 1; ports < 20; ports++)
    for (let auth = 1; auth < 60; auth++)
      for (const timestamp of [1, 12, 123, 1234]) {
        const message = {
          ...MESSAGE,
          timestamp: unixSeconds(timestamp),
          ports: new Array<(typeof MESSAGE.ports)[number]>(ports).fill(MESSAGE.ports[0]),
          serverAuth: 'x'.repeat(auth),
        }
        if (plaintextLength(message) === bytes) return message
      }
  throw new Error(`no message of ${bytes} bytes`)
}

function plaintextLength(message: Extract<OutgoingMessage, { kind: 'access' }>): number {
  const base64 = (length: number) => Math.ceil((length * 4) / 3)
  const texts = base64(5) + base64(7 + 7 * message.ports.length) + base64(message.serverAuth?.length ?? 0)
  return 16 + String(message.timestamp).length + '3.0.0'.length + 1 + texts + 43 + 7
}

function encryption(mode: EncryptionMode, text: string) {
  const key = parseKeyText(EncryptionKey, text)
  assert.ok(key.ok)
  return { mode, key: key.value }
}

function hmacKey(text: string): HmacKey {
  const key = parseKeyText(HmacKey, text)
  assert.ok(key.ok)
  return key.value
}

test('all digests fit into an ordinary packet', () => {
  for (const digestType of DIGEST_TYPES)
    assert.ok(sealPacket(MESSAGE, KEYS, { digestType, salt: new Uint8Array(8) }).ok, digestType)
})
