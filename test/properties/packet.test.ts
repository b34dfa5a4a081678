/** Laws that hold for every packet, tried on random ones. A counterexample belongs in a test of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBase64, encodeBase64 } from '../../src/bytes/base64.ts'
import { encodeText, latin1Bytes } from '../../src/bytes/text.ts'
import { addressFromBytes } from '../../src/packet/address.ts'
import { DIGEST_TYPES } from '../../src/packet/digest-type.ts'
import { ENCRYPTION_MODES, type EncryptionMode } from '../../src/packet/encryption-mode.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { parseFields } from '../../src/packet/fields.ts'
import { encodeHttpRequest, parseHttpRequest } from '../../src/packet/http.ts'
import { EncryptionKey, exposeKey, HmacKey } from '../../src/packet/key.ts'
import type { Protocol } from '../../src/packet/message.ts'
import { type OutgoingMessage, parseMessage } from '../../src/packet/message-fields.ts'
import { openPacket, type PacketKeys } from '../../src/packet/open.ts'
import { openReceipt, type Receipt, sealReceipt } from '../../src/packet/receipt.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { parseUsername } from '../../src/packet/username.ts'
import { port, seconds, unixSeconds } from '../../src/units.ts'

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })

const addresses = fc
  .oneof(bytes(4, 4), bytes(16, 16))
  .map(addressFromBytes)
  .filter((address) => address !== '0.0.0.0' && address !== '::')
const portNumbers = fc.integer({ min: 1, max: 65535 }).map(port)
const ports = fc.record(
  { protocol: fc.constantFrom<Protocol>('tcp', 'udp'), port: portNumbers },
  { noNullPrototype: true },
)
const names = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{1,8}){0,2}$/)
const hosts = fc.oneof(
  addresses,
  names.map((name) => ({ name })),
)
const header = {
  random: fc.stringMatching(/^[0-9]{16}$/),
  username: fc.stringMatching(/^[A-Za-z0-9 @$#%'._-]{4,20}$/).map((text) => {
    const username = parseUsername(text)
    assert.ok(username.ok)
    return username.value
  }),
  timestamp: fc.integer({ min: 1_000_000_000, max: 0x7fff_ffff }).map(unixSeconds),
  source: fc.oneof(addresses, fc.constant('packet-source' as const)),
}
/** Records in the shape that our code makes, so that both can be compared. */
const plain = { noNullPrototype: true } as const
const required = ['kind', 'random', 'username', 'timestamp', 'source', 'ports'] as const
const timeout = fc.integer({ min: 1, max: 65536 }).map(seconds)
const serverAuth = fc.stringMatching(/^crypt,[a-z]{1,8}$/)
const access = {
  ...header,
  ports: fc.array(ports, { minLength: 1, maxLength: 3 }),
  timeout,
  serverAuth,
}
const messages: fc.Arbitrary<OutgoingMessage> = fc.oneof(
  fc.record({ kind: fc.constant('close' as const), ...header, ports: fc.array(ports, { maxLength: 3 }) }, plain),
  fc.record({ kind: fc.constant('command' as const), ...header, command: fc.stringMatching(/^[ -~é]{1,30}$/) }, plain),
  fc.record({ kind: fc.constant('access' as const), ...access }, { ...plain, requiredKeys: [...required] }),
  fc.record(
    {
      kind: fc.constant('natAccess' as const),
      ...access,
      target: fc.record({ host: hosts, port: portNumbers }, plain),
    },
    { ...plain, requiredKeys: [...required, 'target'] },
  ),
  fc.record(
    { kind: fc.constant('localNatAccess' as const), ...access, localPort: portNumbers, host: names },
    { ...plain, requiredKeys: [...required, 'localPort', 'host'] },
  ),
)

const encryptionKeys = (minLength: number, maxLength: number) =>
  bytes(minLength, maxLength).map((key) => made(EncryptionKey.fromBytes(key)))
const hmacKeys = bytes(33, 136).map((key) => made(HmacKey.fromBytes(key)))
const someHmacKey = made(HmacKey.fromBytes(new Uint8Array(40)))
const keys: fc.Arbitrary<PacketKeys> = fc.record(
  {
    encryption: fc.record({ key: encryptionKeys(1, 32), mode: fc.constantFrom<EncryptionMode>(...ENCRYPTION_MODES) }),
    hmac: fc.record({ key: hmacKeys, type: fc.constantFrom(...DIGEST_TYPES) }),
  },
  { requiredKeys: ['encryption'] },
)
const sealing = fc.record({ digestType: fc.constantFrom(...DIGEST_TYPES), salt: bytes(8, 8) })

test('what is sealed is opened as it was, by the same keys and by no others', () => {
  fc.assert(
    fc.property(messages, keys, sealing, (message, theirs, options) => {
      const sealed = sealPacket(message, theirs, options)
      // Not every combination fits between 140 and 400 characters.
      fc.pre(sealed.ok)
      const opened = open(sealed.value, theirs)
      assert.ok(opened.ok, JSON.stringify(opened))
      assert.deepEqual(opened.value.message, { ...message, version: '3.0.0' })
      assert.equal(opened.value.fields.digestType, options.digestType)
      for (const others of almost(theirs)) assert.equal(open(sealed.value, others).ok, false)
    }),
    { numRuns: 1000 },
  )
})

test('so is what is sealed as 1.9.12 does it', () => {
  const oldKeys = fc.oneof(
    fc.record({ key: encryptionKeys(8, 16), mode: fc.constant('legacy' as const) }),
    fc.record({ key: encryptionKeys(16, 32), mode: fc.constant('CBC' as const) }),
  )
  const digests = fc.constantFrom('md5' as const, 'sha1' as const, 'sha256' as const)
  fc.assert(
    fc.property(messages, oldKeys, digests, bytes(8, 8), (message, encryption, digestType, salt) => {
      const sealed = sealPacket(message, { encryption }, { digestType, salt, protocol: '1.9.12' })
      fc.pre(sealed.ok)
      const opened = open(sealed.value, { encryption })
      assert.ok(opened.ok, JSON.stringify(opened))
      assert.deepEqual(opened.value.message, { ...message, version: '1.9.12' })
    }),
    { numRuns: 300 },
  )
})

test('a packet is the same packet in an HTTP request', () => {
  fc.assert(
    fc.property(messages, keys, sealing, addresses, (message, theirs, options, forwardedFor) => {
      const sealed = sealPacket(message, theirs, options)
      fc.pre(sealed.ok)
      const bare = open(sealed.value, theirs)
      const request = encodeHttpRequest(sealed.value, { server: 'spa.example' })
      assert.ok(request.ok)
      const forwarded = request.value.replace('\r\n\r\n', `\r\nX-Forwarded-For: ${forwardedFor}\r\n\r\n`)
      const envelope = parseEnvelope(encodeText(forwarded), { http: { anyUserAgent: false } })
      assert.ok(envelope.ok)
      assert.equal(envelope.value.forwardedFor, forwardedFor)
      assert.deepEqual(openPacket(envelope.value, theirs, { commands: true }), bare)
    }),
    { numRuns: 200 },
  )
})

test('a receipt opens for the packet and the keys that it is for, and for no others', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(unixSeconds)
  const receipts: fc.Arbitrary<Receipt> = fc.oneof(
    fc.record({ verdict: fc.constant('open' as const), serverTime: time, until: time }, plain),
    fc.record({ verdict: fc.constant('done' as const), serverTime: time }, plain),
    fc.record(
      { verdict: fc.constant('refused' as const), serverTime: time, code: fc.stringMatching(/^[A-Z][A-Z_]{0,33}$/) },
      plain,
    ),
  )
  fc.assert(
    fc.property(
      ...([messages, keys, sealing, receipts, bytes(16, 16)] as const),
      (message, theirs, options, receipt, salt) => {
        const sealed = sealPacket(message, theirs, options)
        fc.pre(sealed.ok)
        const opened = open(sealed.value, theirs)
        assert.ok(opened.ok)
        const datagram = sealReceipt(opened.value.fwknopDigest, theirs, receipt, salt) ?? ''
        assert.deepEqual(openReceipt(sealed.value, theirs, datagram), { ok: true, value: receipt })
        // Not those that have the same keys, and another digest of the HMAC.
        const strangers = almost(theirs).filter(
          ({ encryption, hmac }) => encryption !== theirs.encryption || hmac?.key !== theirs.hmac?.key,
        )
        for (const others of strangers) assert.equal(openReceipt(sealed.value, others, datagram).ok, false)
        assert.equal(openReceipt(`${sealed.value}A`, theirs, datagram).ok, false)
      },
    ),
    { numRuns: 300 },
  )
})

test('nothing that comes back makes the reader of receipts throw, and nothing made up is one', () => {
  const alike = fc.oneof(fc.string({ maxLength: 140 }), fc.stringMatching(/^[A-Za-z0-9+/]{128}$/))
  fc.assert(
    fc.property(fc.string(), keys, alike, (packet, theirs, datagram) => {
      assert.equal(openReceipt(packet, theirs, datagram).ok, false)
    }),
    { numRuns: 1000 },
  )
})

test('no second spelling of a packet is a second packet', () => {
  fc.assert(
    fc.property(
      messages,
      keys,
      sealing,
      fc.nat(),
      fc.string({ maxLength: 3 }),
      (message, theirs, options, at, junk) => {
        const sealed = sealPacket(message, theirs, options)
        fc.pre(sealed.ok)
        const first = open(sealed.value, theirs)
        assert.ok(first.ok)
        const text = sealed.value
        const cut = at % (text.length + 1)
        const last = text.slice(0, -1)
        const spellings = [
          `${text}=`,
          `${text}==`,
          `${text}=${junk}`,
          `${text}A`,
          text.slice(0, cut) + junk + text.slice(cut),
          `U2FsdGVkX1${text}`,
          ...[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((letter) => last + letter),
        ]
        for (const spelling of spellings)
          for (const again of [open(spelling, theirs), open(asRequest(spelling), theirs)])
            if (again.ok) assert.equal(again.value.digest, first.value.digest, spelling)
      },
    ),
    { numRuns: 100 },
  )
})

test('no bytes make a parser throw', () => {
  const somewhatAlike = fc.oneof(
    bytes(0, 1600),
    fc.stringMatching(/^[89+/][A-Za-z0-9+/]{139,400}={0,3}$/).map(encodeText),
    fc
      .tuple(fc.constantFrom('GET /', 'get /', 'GET /8'), fc.string({ maxLength: 400 }))
      .map(([a, b]) => encodeText(a + b)),
    fc
      .string({
        unit: fc.constantFrom('GET /', '8', '+', '=', ' ', '\n', 'User-Agent:', 'Fwknop', 'X-Forwarded-For:', '::1'),
        maxLength: 250,
      })
      .map(encodeText),
  )
  fc.assert(
    fc.property(somewhatAlike, keys, (payload, theirs) => {
      for (const http of ['off', { anyUserAgent: false }, { anyUserAgent: true }] as const) {
        const envelope = parseEnvelope(payload, { http })
        if (envelope.ok) assert.equal(openPacket(envelope.value, theirs, { commands: true }).ok, false)
      }
      parseHttpRequest(payload, { anyUserAgent: true })
      assert.equal(parseFields(payload).ok, false)
    }),
    { numRuns: 2000 },
  )
})

test('no fields make the message parser throw', () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: fc.constantFrom('10.1.2.3', '::', ',', 'tcp/', '22', '0', '.', 'a', '/'), maxLength: 12 }),
  )
  fc.assert(
    fc.property(
      fc.record({
        randVal: texts,
        username: texts,
        timestamp: fc.nat(),
        version: texts,
        messageType: fc.constantFrom(0, 1, 2, 3, 4, 5, 6),
        message: texts,
        natAccess: fc.option(texts),
        serverAuth: fc.option(texts),
        clientTimeout: fc.nat({ max: 65536 }),
      }),
      (fields) => void parseMessage(fields),
    ),
    { numRuns: 2000 },
  )
})

test('base64 has one text for each bytes', () => {
  fc.assert(
    fc.property(bytes(0, 100), (some) => assert.deepEqual(decodeBase64(encodeBase64(some)), some)),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9+/]{0,40}$/), (text) => {
      const decoded = decodeBase64(text)
      if (decoded !== undefined) assert.equal(encodeBase64(decoded), text)
    }),
    { numRuns: 1000 },
  )
})

function open(wire: string, theirs: PacketKeys) {
  const payload = latin1Bytes(wire) ?? encodeText(wire)
  const envelope = parseEnvelope(payload, { http: { anyUserAgent: false } })
  return envelope.ok ? openPacket(envelope.value, theirs, { commands: true }) : envelope
}

/** The same keys with one thing changed, each in turn. */
function almost({ encryption, hmac }: PacketKeys): PacketKeys[] {
  const otherKey = { ...encryption, key: made(EncryptionKey.fromBytes(oneBitOff(exposeKey(encryption.key)))) }
  if (hmac === undefined) return [{ encryption: otherKey }, { encryption, hmac: { key: someHmacKey, type: 'sha256' } }]
  const otherHmac = { ...hmac, key: made(HmacKey.fromBytes(oneBitOff(exposeKey(hmac.key)))) }
  const otherTypes = DIGEST_TYPES.filter((type) => type !== hmac.type)
  return [
    { encryption },
    { encryption: otherKey, hmac },
    { encryption, hmac: otherHmac },
    ...otherTypes.map((type) => ({ encryption, hmac: { ...hmac, type } })),
  ]
}

function oneBitOff(key: Uint8Array): Uint8Array {
  return key.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
}

function asRequest(wire: string): string {
  return `GET /${wire.replaceAll('+', '-').replaceAll('/', '_')} HTTP/1.0\r\nUser-Agent: Fwknop/2\r\n\r\n`
}

function made<T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false }): T {
  assert.ok(result.ok)
  return result.value
}
