import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StanzaId } from '../../access/stanza.ts'
import { encodeBase64 } from '../../bytes/base64.ts'
import { addressFromBytes } from '../../packet/address.ts'
import type { Message, Username } from '../../packet/message.ts'
import type { FwknopDigest, ReplayDigest } from '../../packet/replay-digest.ts'
import { port, seconds, unixSeconds } from '../../units.ts'
import { type Knock, parseKnock } from './knock.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const address = fc.oneof(bytes(4), bytes(16)).map(addressFromBytes)
const portNumber = fc.integer({ min: 1, max: 65535 }).map(port)
const protocolPort = fc.record({ protocol: fc.constantFrom('tcp' as const, 'udp' as const), port: portNumber })
const header = {
  random: fc.stringMatching(/^[0-9]{16}$/),
  username: fc.stringMatching(/^[A-Za-z0-9@._ -]{1,48}$/).map((name) => name as Username),
  timestamp: fc.integer({ min: 0, max: 999_999_999_999 }).map(unixSeconds),
  version: fc.constantFrom('3.0.0', '1.9.12'),
  source: fc.oneof(fc.constant('packet-source' as const), address),
}
const access = {
  ...header,
  ports: fc.array(protocolPort, { minLength: 1, maxLength: 32 }),
}
const kind = <const K extends string>(name: K) => fc.constant(name)
const host = fc.oneof(
  address,
  fc.stringMatching(/^[a-z]{1,20}\.example$/).map((name) => ({ name })),
)
const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: kind('command'), ...header, command: fc.string({ minLength: 1, maxLength: 192 }) }),
  fc.record({ kind: kind('access'), ...access }),
  fc.record({ kind: kind('close'), ...header, ports: fc.array(protocolPort, { maxLength: 32 }) }),
  fc.record({
    kind: kind('access'),
    ...access,
    serverAuth: fc.string({ maxLength: 20 }),
    timeout: fc.integer({ min: 0, max: 65536 }).map(seconds),
  }),
  fc.record({ kind: kind('natAccess'), ...access, target: fc.record({ host, port: portNumber }) }),
  fc.record({ kind: kind('localNatAccess'), ...access, localPort: portNumber, host: fc.string({ maxLength: 70 }) }),
)
const digest = bytes(32).map(encodeBase64)
const knocks: fc.Arbitrary<Knock> = fc
  .record(
    {
      openedBy: fc.integer({ min: 1, max: 1e6 }).map((id) => id as StanzaId),
      digest: digest.map((it) => it as ReplayDigest),
      fwknopDigest: digest.map((it) => it as FwknopDigest),
      message: messages,
      packet: fc.record(
        {
          ...{ source: address, sourcePort: portNumber, destination: address, destinationPort: portNumber },
          interfaceIndex: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        },
        { requiredKeys: ['source', 'sourcePort', 'destinationPort'] },
      ),
      forwardedFor: address,
    },
    { requiredKeys: ['openedBy', 'digest', 'fwknopDigest', 'message', 'packet'] },
  )
  // fast-check makes records without a prototype; JSON does not.
  .map((knock) => structuredClone(knock) as Knock)

const sample: Knock = {
  openedBy: 1 as StanzaId,
  digest: encodeBase64(new Uint8Array(32)) as ReplayDigest,
  fwknopDigest: encodeBase64(new Uint8Array(32).fill(1)) as FwknopDigest,
  message: {
    kind: 'access',
    random: '0123456789012345',
    username: 'alice' as Username,
    timestamp: unixSeconds(1_800_000_000),
    version: '3.0.0',
    source: 'packet-source',
    ports: [{ protocol: 'tcp', port: port(22) }],
  },
  packet: {
    source: addressFromBytes(Uint8Array.of(10, 1, 2, 3)),
    sourcePort: port(40000),
    destinationPort: port(62201),
  },
}

test('a knock comes out of JSON as it went in', () => {
  fc.assert(
    fc.property(knocks, (knock) => {
      assert.deepEqual(parseKnock(JSON.parse(JSON.stringify(knock))), { ok: true, value: knock })
    }),
  )
})

test('no JSON makes the reader throw, and none but a knock is one', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const read = parseKnock(value)
      assert(!read.ok && read.failure.code === 'WARDEN_PROTOCOL')
    }),
  )
})

test('a knock with any one value replaced by rubbish is refused or reads as what it says', () => {
  const rubbish = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(0, -1, 1.5, 65536, '', '010.0.0.1', '::FFFF:1.2.3.4', null, [], {}),
  )
  fc.assert(
    fc.property(knocks, fc.nat(), rubbish, (knock, which, value) => {
      const copy = JSON.parse(JSON.stringify(knock))
      const places = leaves(copy)
      const [holder, key] = places[which % places.length] ?? [copy, 'openedBy']
      holder[key] = value
      const read = parseKnock(copy)
      if (read.ok) assert.deepEqual(JSON.parse(JSON.stringify(read.value)), JSON.parse(JSON.stringify(copy)))
    }),
  )
})

type Draft = { digest?: unknown; packet: object; message: object }
const refused: [what: string, change: (knock: Draft) => void][] = [
  ['a field that no knock has', (knock) => Object.assign(knock, { lifetime: 1e9 })],
  ['a field of Object’s', (knock) => Object.assign(knock, { constructor: 'x' })],
  ['stanza 0', (knock) => Object.assign(knock, { openedBy: 0 })],
  ['no digest', (knock) => delete knock.digest],
  ['a short digest', (knock) => Object.assign(knock, { digest: 'AAAA' })],
  ['a digest in a second spelling', (knock) => Object.assign(knock, { digest: `${'A'.repeat(42)}B` })],
  ['an address in a second spelling', (knock) => Object.assign(knock, { forwardedFor: '::FFFF:1.2.3.4' })],
  ['a source that is no address', (knock) => Object.assign(knock.packet, { source: 'tcp dport 22 accept' })],
  ['port 65536', (knock) => Object.assign(knock.packet, { sourcePort: 65536 })],
  ['a way that is none', (knock) => Object.assign(knock.packet, { way: 'carrier pigeon' })],
  ['http that is not true', (knock) => Object.assign(knock, { http: false })],
  ['interface 0', (knock) => Object.assign(knock.packet, { interfaceIndex: 0 })],
  ['an interface beyond the kernel’s', (knock) => Object.assign(knock.packet, { interfaceIndex: 2 ** 31 })],
  ['an interface by name', (knock) => Object.assign(knock.packet, { interfaceIndex: 'eth0' })],
  ['no ports', (knock) => Object.assign(knock.message, { ports: [] })],
  ['33 ports', (knock) => Object.assign(knock.message, { ports: new Array(33).fill({ protocol: 'tcp', port: 1 }) })],
  ['a protocol of another kind', (knock) => Object.assign(knock.message, { ports: [{ protocol: 'icmp', port: 1 }] })],
  ['an address for the name that it asks for', (knock) => Object.assign(knock, { resolvedTarget: '10.0.0.5' })],
  ['a user name with a quote', (knock) => Object.assign(knock.message, { username: 'a"b' })],
  ['a timeout beyond the wire’s', (knock) => Object.assign(knock.message, { timeout: 65537 })],
  ['an escape sequence for a version', (knock) => Object.assign(knock.message, { version: '\u001b[2J' })],
  ['an escape sequence for a user name', (knock) => Object.assign(knock.message, { username: 'a\u001b[2J' })],
  ['NUL in a text', (knock) => Object.assign(knock.message, { serverAuth: 'a\0b' })],
  ['text that no packet can hold', (knock) => Object.assign(knock.message, { serverAuth: '\ud800' })],
  ['a message of no kind', (knock) => Object.assign(knock.message, { kind: 'root' })],
]
for (const [what, change] of refused) {
  test(`a knock with ${what} is refused`, () => {
    const copy = JSON.parse(JSON.stringify(sample))
    assert(parseKnock(copy).ok)
    change(copy)
    const read = parseKnock(copy)
    assert(!read.ok && read.failure.code === 'WARDEN_PROTOCOL')
  })
}

type Holder = Record<string, unknown>
function leaves(value: Holder): [Holder, string][] {
  return Object.entries(value).flatMap(([key, inner]): [Holder, string][] =>
    typeof inner === 'object' && inner !== null ? [[value, key], ...leaves(inner as Holder)] : [[value, key]],
  )
}
