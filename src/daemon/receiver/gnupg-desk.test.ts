import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import { StanzaIndex } from '../../access/matching.ts'
import { OpenerMemory } from '../../access/opener-memory.ts'
import { concatBytes } from '../../bytes/bytes.ts'
import { encodeText } from '../../bytes/text.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import { parseAccessConf } from '../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { HmacKey } from '../../packet/key.ts'
import { parseKeyText } from '../../packet/key-text.ts'
import { sealGnupgMessage } from '../../packet/seal.ts'
import { milliseconds, port } from '../../units.ts'
import type { GnupgRequest } from '../link/gnupg-protocol.ts'
import { GnupgDesk } from './gnupg-desk.ts'
import { begin, type Received } from './receive.ts'

const ip = (text: string): IpAddress => must(parseAddress(text))
const texts = {
  'access.conf':
    'SOURCE ANY\nGPG_ALLOW_NO_PW Y\nGPG_DISABLE_SIG Y\nSOURCE ANY\nGPG_ALLOW_NO_PW Y\nGPG_DISABLE_SIG Y\nHMAC_KEY key\n' +
    'SOURCE ANY\nGPG_ALLOW_NO_PW Y\nGPG_DISABLE_SIG Y\nHMAC_KEY other key\n',
}
const { stanzas } = must(parseAccessConf('access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} })))
const receiving = { policy: { http: 'off' as const }, index: new StanzaIndex(stanzas), openers: new OpenerMemory() }
const hmacOf = (text: string) => ({ key: must(parseKeyText(HmacKey, text)), type: 'sha256' as const })
const [hmac, otherHmac] = [hmacOf('key'), hmacOf('other key')]

let made = 0
/** A message that has the outline of GnuPG's: each another. */
function message(): Uint8Array {
  const number = Uint8Array.of(++made >> 8, made & 0xff)
  const sessionKey = concatBytes(
    Uint8Array.of(0x85, 1, 0x0c, 3),
    new Uint8Array(8),
    Uint8Array.of(1),
    new Uint8Array(258),
  )
  return concatBytes(sessionKey, Uint8Array.of(0xd2, 100, 1), new Uint8Array(97), number)
}
function packet(source: string, vouched: boolean | typeof hmac = false, of = message()): CapturedPacket {
  const key = vouched === true ? hmac : vouched
  const text = must(sealGnupgMessage(of, key === false ? undefined : key))
  const ports = { sourcePort: port(4321), destinationPort: port(62201) }
  return { via: 'udp', payload: encodeText(text), source: ip(source), ...ports }
}

function desk() {
  const sent: GnupgRequest[] = []
  const settled: [source: string, code: string][] = []
  let now = 0
  const at = new GnupgDesk(
    (request) => sent.push(request),
    () => milliseconds(now),
  )
  const told = (source: string, received: Received): void =>
    void settled.push([source, received.state === 'refused' ? received.failure.code : received.state])
  return {
    ...{ at, sent, settled },
    /** @returns what became of it at once. */
    take(captured: CapturedPacket): string {
      let received: Received | undefined = begin(captured, receiving)
      while (received?.state === 'pending') {
        const settle = (later: Received): void => told(captured.source, later)
        // A packet with an HMAC is for the second stanza: the first would take the HMAC for ciphertext.
        received = at.take({ packet: captured, pending: received, settle }, () => false)
      }
      return received === undefined ? 'waits' : received.state === 'refused' ? received.failure.code : received.state
    },
    answer(failure: 'SPA_DECRYPT_FAILED' | 'GNUPG_FAILED' = 'SPA_DECRYPT_FAILED'): void {
      const request = sent.shift()
      assert(request !== undefined)
      at.answered({ id: request.id, failure: { code: failure, detail: 'no' } })
    },
    pass(time: number): void {
      now += time
      at.expire()
    },
  }
}

test('two packets are with the GnuPG process at a time, and others follow', () => {
  const { take, sent, answer } = desk()
  for (let i = 0; i < 4; i++) assert.equal(take(packet(`192.0.2.${i}`)), 'waits')
  assert.equal(sent.length, 2)
  answer()
  assert.equal(sent.length, 2)
})

test('a source has its share of the places, and no more; an IPv6 network is one source', () => {
  const { take } = desk()
  const outcomes = Array.from({ length: 10 }, () => take(packet('192.0.2.1')))
  assert.equal(outcomes.filter((it) => it === 'waits').length, 2 + 4)
  assert.equal(outcomes.at(-1), 'GNUPG_BUSY')
  const ofNetwork = Array.from({ length: 10 }, (_, i) => take(packet(`2001:db8::${i + 1}`)))
  assert.equal(ofNetwork.filter((it) => it === 'waits').length, 4)
  assert.equal(take(packet('2001:db8:0:1::1')), 'waits')
})

test('all sources together have a number of places', () => {
  const { take } = desk()
  const outcomes = Array.from({ length: 400 }, (_, i) => take(packet(`10.0.${i >> 8}.${i & 255}`)))
  assert.equal(outcomes.filter((it) => it === 'waits').length, 2 + 256)
})

test('what an HMAC vouches for goes first, then a known source; strangers take turns', () => {
  const { at, take, sent, answer, settled } = desk()
  for (const source of ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.2']) take(packet(source))
  take(packet('10.0.0.3', true))
  at.remember({ source: ip('10.0.0.5') }, 'ada')
  take(packet('10.0.0.5'))
  assert.equal(take(packet('10.0.0.4', true)), 'waits')
  while (sent.length > 0) answer()
  const order = settled.map(([source]) => source)
  assert.deepEqual(order.slice(0, 2), ['10.0.0.1', '10.0.0.1'])
  assert(order.indexOf('10.0.0.3') < order.indexOf('10.0.0.5'))
  assert(order.indexOf('10.0.0.5') < order.indexOf('10.0.0.2'))
  assert(order.indexOf('10.0.0.2') < order.lastIndexOf('10.0.0.1'))
})

/** A row of different sources. */
const forged = (n: number): string => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`

test('a holder of the HMAC key has a share of its places, with one source', () => {
  const { take } = desk()
  const outcomes = Array.from({ length: 100 }, () => take(packet('192.0.2.1', true)))
  assert.equal(outcomes.filter((it) => it === 'waits').length, 2 + 8)
  assert.equal(take(packet('192.0.2.2', true)), 'waits')
})

test('forged sources take half of the places of an HMAC key at most: a client that knocked before has its own', () => {
  const { at, take, sent, answer, settled } = desk()
  at.remember({ source: ip('192.0.2.1') }, 'ada')
  const outcomes = Array.from({ length: 500 }, (_, n) => take(packet(forged(n), true)))
  assert.equal(outcomes.filter((it) => it === 'waits').length, 2 + 32)
  assert.equal(take(packet('192.0.2.1', true)), 'waits')
  for (let i = 0; i < 4; i++) answer()
  assert(
    settled.some(([source]) => source === '192.0.2.1'),
    'it has its turn after at most one of the others',
  )
  assert.equal(sent.length, 2)
})

test('an HMAC key whose places are taken leaves those of another key', () => {
  const { take } = desk()
  for (let n = 0; n < 100; n++) take(packet(forged(n), true))
  assert.equal(take(packet('192.0.2.1', true)), 'GNUPG_BUSY')
  assert.equal(take(packet('192.0.2.1', otherHmac)), 'waits')
})

test('a signer that forges sources stays one signer: its packets do not displace those of another', () => {
  const { at, take } = desk()
  at.remember({ source: ip('192.0.2.1') }, 'ada')
  for (let n = 0; n < 5000; n++) at.remember({ source: ip(forged(n)) }, 'mallory')
  // Also the source of the other signer.
  at.remember({ source: ip('192.0.2.1') }, 'mallory')
  const outcomes = Array.from({ length: 31 }, (_, n) => take(packet(forged(4999 - n), true)))
  assert.equal(outcomes.filter((it) => it === 'waits').length, 2 + 8)
  assert.equal(outcomes.at(-1), 'GNUPG_BUSY')
  assert.equal(take(packet('192.0.2.1', true)), 'waits')
  for (const isVouched of [true, false]) for (let n = 0; n < 31; n++) take(packet(forged(4999 - n), isVouched))
  assert.equal(take(packet('192.0.2.1')), 'waits')
})

test('a flood with an HMAC leaves turns to clients without one, known or not', () => {
  const { at, take, sent, answer, settled } = desk()
  at.remember({ source: ip('192.0.2.1') }, 'ada')
  for (let n = 0; n < 20; n++) take(packet(forged(n), true))
  take(packet('192.0.2.1'))
  take(packet('192.0.2.2'))
  for (let n = 20; sent.length > 0 && n < 40; n++) {
    answer()
    take(packet(forged(n), true))
  }
  const order = settled.map(([source]) => source)
  assert(order.indexOf('192.0.2.1') >= 0 && order.indexOf('192.0.2.1') < 10, String(order))
  assert(order.indexOf('192.0.2.2') >= 0 && order.indexOf('192.0.2.2') < 12, String(order))
})

test('a copy does not reach gpg again: not while the first waits, nor after it was refused', () => {
  const { take, sent, answer } = desk()
  const of = message()
  assert.equal(take(packet('10.0.0.1', false, of)), 'waits')
  assert.equal(take(packet('10.0.0.2', false, of)), 'GNUPG_BUSY')
  answer()
  assert.equal(take(packet('10.0.0.2', false, of)), 'SPA_DECRYPT_FAILED')
  assert.equal(sent.length, 0)
})

test('a gpg that failed is asked again', () => {
  const { take, answer } = desk()
  const of = message()
  take(packet('10.0.0.1', false, of))
  answer('GNUPG_FAILED')
  assert.equal(take(packet('10.0.0.1', false, of)), 'waits')
})

test('an answer that does not come is given up, and the next are asked', () => {
  const { at, take, sent, settled, pass } = desk()
  for (let i = 1; i < 5; i++) take(packet(`10.0.0.${i}`))
  assert.equal(sent.length, 2)
  assert(at.deadline !== undefined)
  pass(19_999)
  assert.equal(settled.length, 0)
  pass(1)
  assert.deepEqual(settled, [
    ['10.0.0.1', 'GNUPG_FAILED'],
    ['10.0.0.2', 'GNUPG_FAILED'],
  ])
  assert.equal(sent.length, 4)
})

test('an answer that nobody asked for, or that is none, changes nothing', () => {
  const { at, take, sent, settled } = desk()
  take(packet('10.0.0.1'))
  const id = sent[0]?.id ?? 0
  const failure = { code: 'SPA_DECRYPT_FAILED', detail: '' }
  for (const value of [null, 1, {}, { id }, { id: id + 1, failure }, { id, failure: { ...failure, code: 'ABORTED' } }])
    at.answered(value)
  assert.equal(settled.length, 0)
  assert(at.deadline !== undefined)
})

test('under another configuration all that waits begins again', () => {
  const { at, take } = desk()
  for (let i = 1; i < 6; i++) take(packet(`10.0.0.${i}`))
  assert.deepEqual(
    at.clear().map(({ source }) => source),
    ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'],
  )
  assert.equal(at.deadline, undefined)
  assert.equal(take(packet('10.0.0.1')), 'waits')
})

test('a desk that closes gives up what waits, tells each, and takes no more', () => {
  const { at, take, sent, answer, settled } = desk()
  for (let i = 1; i < 6; i++) take(packet(`10.0.0.${i}`))
  at.close()
  assert.equal(settled.length, 5)
  assert(settled.every(([, code]) => code === 'GNUPG_FAILED'))
  assert.equal(at.deadline, undefined)
  assert.equal(take(packet('10.0.0.9')), 'GNUPG_FAILED')
  // An answer that comes too late.
  answer()
  assert.equal(settled.length, 5)
  assert.equal(sent.length, 1)
})
