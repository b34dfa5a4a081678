import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { must } from '../../test/support/results.ts'
import { symmetricKeys } from '../../test/support/symmetric-keys.ts'
import { encodeText } from '../bytes/text.ts'
import { addressFromBytes, parseAddress, parseNetwork } from '../packet/address.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { port, seconds } from '../units.ts'
import { isAmong, StanzaIndex } from './matching.ts'
import { OpenerMemory } from './opener-memory.ts'
import type { Stanza, StanzaId, SymmetricEncryption } from './stanza.ts'

const ip = (text: string) => must(parseAddress(text))

function stanza(id: number, sources: 'any' | string[], key: string, change: Partial<Stanza> = {}): Stanza {
  return {
    id: id as StanzaId,
    location: { file: 'access.conf', line: id },
    sources: sources === 'any' ? 'any' : sources.map((text) => must(parseNetwork(text))),
    destinations: 'any',
    encryption: { kind: 'symmetric', key: must(EncryptionKey.fromBytes(encodeText(key))), mode: 'CBC' },
    restrictPorts: [],
    timeout: seconds(30),
    maxTimeout: seconds(300),
    requireSourceAddress: false,
    requirePacketSource: false,
    ...change,
  }
}
const hmac = (key: string) => ({ key: must(HmacKey.fromBytes(encodeText(key))), type: 'sha256' as const })
const ids = (stanzas: Iterable<Stanza>) => [...stanzas].map(({ id }) => id as number)
const tried = (index: StanzaIndex, source: string) =>
  [...index.keyringsFor(ip(source), 'any')].map(({ stanzas }) => stanzas[0].id as number)

const index = new StanzaIndex([
  stanza(1, 'any', 'a'),
  stanza(2, ['10.0.0.0/8'], 'b'),
  stanza(3, ['10.0.0.5', '2001:db8::/32'], 'c'),
  stanza(4, ['10.0.0.5'], 'a'),
  stanza(5, ['2001:db8::5', '10.0.0.0/24', '10.0.0.5'], 'd'),
])
const orders: [source: string, keysOf: number[]][] = [
  ['192.0.2.1', [1]],
  ['10.9.9.9', [2, 1]],
  ['10.0.0.5', [1, 3, 5, 2]],
  ['10.0.0.6', [5, 2, 1]],
  ['2001:db8::1', [3, 1]],
  ['2001:db8::5', [5, 3, 1]],
]
for (const [source, keysOf] of orders)
  test(`${source}: each key once, those of the narrowest networks first`, () =>
    assert.deepEqual(tried(index, source), keysOf))

test('the stanzas of a key are those for the source, in file order, each once', () => {
  const keyring = index.keyringOf(index.byId(4 as StanzaId) ?? assert.fail(), 'symmetric') ?? assert.fail()
  assert.deepEqual(ids(keyring.stanzas), [1, 4])
  assert.deepEqual(ids(index.stanzasFor(keyring, ip('10.0.0.5'), 'any')), [1, 4])
  assert.deepEqual(ids(index.stanzasFor(keyring, ip('10.0.0.6'), 'any')), [1])
  const other = index.keyringOf(index.byId(5 as StanzaId) ?? assert.fail(), 'symmetric') ?? assert.fail()
  assert.deepEqual(ids(index.stanzasFor(other, ip('10.0.0.5'), 'any')), [5])
  assert.deepEqual(ids(index.stanzasFor(other, ip('192.0.2.1'), 'any')), [])
})

const sharing: [what: string, one: Stanza, other: Stanza, share: boolean][] = [
  ['the same key', stanza(1, 'any', 'k'), stanza(2, 'any', 'k'), true],
  ['other keys', stanza(1, 'any', 'k'), stanza(2, 'any', 'l'), false],
  ['another mode', stanza(1, 'any', 'k'), mode(stanza(2, 'any', 'k'), 'CTR'), false],
  ['an HMAC for one', stanza(1, 'any', 'k'), stanza(2, 'any', 'k', { hmac: hmac('h') }), false],
  ['other HMAC keys', stanza(1, 'any', 'k', { hmac: hmac('i') }), stanza(2, 'any', 'k', { hmac: hmac('h') }), false],
  [
    'keys cut elsewhere',
    stanza(1, 'any', 'ab', { hmac: hmac('c') }),
    stanza(2, 'any', 'a', { hmac: hmac('bc') }),
    false,
  ],
  [
    'legacy and CBC with a key of 16 bytes',
    mode(stanza(1, 'any', '0123456789abcdef'), 'legacy'),
    stanza(2, 'any', '0123456789abcdef'),
    true,
  ],
  [
    'legacy and CBC with the key as legacy fills it',
    mode(stanza(1, 'any', 'short'), 'legacy'),
    stanza(2, 'any', 'short00000000000'),
    true,
  ],
  ['legacy and CBC with a short key', mode(stanza(1, 'any', 'short'), 'legacy'), stanza(2, 'any', 'short'), false],
]
function mode(of: Stanza, named: SymmetricEncryption['mode']): Stanza {
  return { ...of, encryption: { ...symmetricKeys(of).encryption, mode: named } }
}
for (const [what, one, other, share] of sharing) {
  test(`${what}: ${share ? 'one key to try' : 'two keys to try'}`, () => {
    const both = new StanzaIndex([one, other])
    assert.equal([...both.keyringsFor(ip('10.0.0.1'), 'any')].length, share ? 1 : 2)
  })
}

test('the index finds what looking at each stanza would find', () => {
  const octet = fc.constantFrom(0, 1, 10, 255)
  const address = fc.tuple(octet, octet, octet, octet).map((bytes) => addressFromBytes(Uint8Array.from(bytes)))
  const network = fc.tuple(address, fc.constantFrom(0, 1, 8, 9, 24, 31, 32)).map(([at, length]) => `${at}/${length}`)
  const sources = fc.oneof(fc.constant('any' as const), fc.array(network, { minLength: 1, maxLength: 3 }))
  fc.assert(
    fc.property(fc.array(sources, { maxLength: 12 }), address, (all, source) => {
      const stanzas = all.map((from, i) => stanza(i + 1, from, `key ${i % 4}`))
      const found = new StanzaIndex(stanzas)
      const matched = [...found.keyringsFor(source, 'any')].flatMap((keyring) =>
        ids(found.stanzasFor(keyring, source, 'any')),
      )
      const looked = stanzas.filter((it) => isAmong(it.sources, source))
      assert.deepEqual(
        matched.toSorted((a, b) => a - b),
        ids(looked),
      )
    }),
  )
})

test('the keys to try do not grow with stanzas for others', () => {
  const many = Array.from({ length: 5_000 }, (_, i) => stanza(i + 1, [`10.1.${i >> 8}.${i & 255}`], `key ${i}`))
  const large = new StanzaIndex([...many, stanza(5_001, 'any', 'mine')])
  assert.deepEqual(tried(large, '192.0.2.1'), [5_001])
  assert.deepEqual(tried(large, '10.1.3.7'), [3 * 256 + 8, 5_001])
})

const range = (first: number, last = first) => ({ first: port(first), last: port(last) })
const atPorts = new StanzaIndex(
  [
    stanza(1, 'any', 'a'),
    stanza(2, 'any', 'b', { spaPorts: [range(5001)] }),
    stanza(3, ['10.0.0.0/8'], 'c', { spaPorts: [range(5001), range(5003)] }),
    stanza(4, 'any', 'd', { spaPorts: [range(6000, 6009)] }),
    stanza(5, 'any', 'a', { spaPorts: [range(6005)] }),
    stanza(6, 'any', 'e', { spaPorts: [range(62201)] }),
  ],
  [range(62201)],
)
const keysAt: [at: number | 'any', source: string, keysOf: number[]][] = [
  [62201, '10.0.0.5', [1, 6]],
  [5001, '10.0.0.5', [2, 3]],
  [5001, '192.0.2.1', [2]],
  [5003, '10.0.0.5', [3]],
  [5003, '192.0.2.1', []],
  [6004, '192.0.2.1', [4]],
  [6005, '192.0.2.1', [4, 1]],
  [6010, '192.0.2.1', []],
  [1, '10.0.0.5', []],
  ['any', '192.0.2.1', [1, 2, 4, 6]],
]
for (const [at, source, keysOf] of keysAt)
  test(`a packet from ${source} to port ${at} is tried with the keys of ${keysOf.join(', ') || 'no stanza'}`, () => {
    const keyrings = atPorts.keyringsFor(ip(source), at === 'any' ? at : port(at))
    assert.deepEqual(
      keyrings.map(({ stanzas }) => stanzas[0].id as number).toSorted((a, b) => a - b),
      keysOf.toSorted((a, b) => a - b),
    )
    if (at !== 'any')
      for (const one of atPorts.keyringsFor(ip('10.0.0.5'), 'any'))
        assert.equal(atPorts.isFor(one, ip(source), port(at)), keyrings.includes(one))
  })

test('stanzas with the same key at different ports are asked only at their own', () => {
  const keyring = atPorts.keyringOf(atPorts.byId(1 as StanzaId) ?? assert.fail(), 'symmetric') ?? assert.fail()
  assert.deepEqual(ids(keyring.stanzas), [1, 5])
  const asked = (at: number) => ids(atPorts.stanzasFor(keyring, ip('10.0.0.5'), port(at)))
  assert.deepEqual([62201, 6005, 5001].map(asked), [[1], [5], []])
})

test('without SPA_PORT in any stanza, each answers at every port', () => {
  assert.deepEqual(
    ids(index.keyringsFor(ip('10.9.9.9'), port(1)).flatMap(({ stanzas }) => stanzas.slice(0, 1))),
    [2, 1],
  )
})

test('the memory of openers is bounded, and forgets who was away for longest', () => {
  const memory = new OpenerMemory(2)
  const [keyring] = index.keyringsFor(ip('10.0.0.5'), 'any')
  assert(keyring !== undefined)
  memory.remember(ip('10.0.0.1'), keyring)
  memory.remember(ip('10.0.0.2'), keyring)
  memory.remember(ip('10.0.0.1'), keyring)
  memory.remember(ip('10.0.0.3'), keyring)
  assert.equal(memory.size, 2)
  assert.equal(memory.last(ip('10.0.0.2')), undefined)
  assert.equal(memory.last(ip('10.0.0.1')), keyring)
})
