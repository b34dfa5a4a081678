import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import { StanzaIndex } from '../../access/matching.ts'
import { OpenerMemory } from '../../access/opener-memory.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import { parseAccessConf } from '../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { parseAddress } from '../../packet/address.ts'
import { EncryptionKey, HmacKey } from '../../packet/key.ts'
import { sealPacket } from '../../packet/seal.ts'
import { parseUsername } from '../../packet/username.ts'
import { port, unixSeconds } from '../../units.ts'
import type { FromReceiver } from '../link/protocol.ts'
import { Triage } from './triage.ts'

const files = filesFromSnapshot({
  texts: { 'access.conf': 'SOURCE ANY\nKEY one key\nHMAC_KEY another key\n' },
  folders: {},
  failures: {},
})
const { stanzas } = must(parseAccessConf('access.conf', files))

function loop(backlog = 0, refuseReplays = true) {
  const messages: FromReceiver[] = []
  const receiving = {
    policy: { http: 'off', refuseReplays, maxAge: 'unlimited' } as const,
    index: new StanzaIndex(stanzas),
    openers: new OpenerMemory(),
  }
  const receive = new Triage(
    receiving,
    5,
    (message) => messages.push(message),
    () => backlog,
  )
  return {
    receive,
    receiving,
    messages,
    sent: (type: FromReceiver['type']) => messages.filter((message) => message.type === type),
  }
}

const text = (bytes: string) => new TextEncoder().encode(bytes)
const from = (payload: Uint8Array): CapturedPacket => ({
  via: 'packet-socket',
  payload,
  source: must(parseAddress('192.0.2.1')),
  sourcePort: port(4321),
  destinationPort: port(62201),
})
const key = (of: string) => text(of)
const message = {
  kind: 'access',
  random: '1234567890123456',
  username: must(parseUsername('ada')),
  timestamp: unixSeconds(1_800_000_000),
  source: 'packet-source',
  ports: [{ protocol: 'tcp', port: port(22) }],
} as const
const keys = {
  encryption: { key: must(EncryptionKey.fromBytes(key('one key'))), mode: 'CBC' },
  hmac: { key: must(HmacKey.fromBytes(key('another key'))), type: 'sha256' },
} as const
const options = { digestType: 'sha256', salt: new Uint8Array(8) } as const
const wire = must(sealPacket(message, keys, options))
const target = { host: { name: 'inner.example' }, port: port(22) }
const byName = must(sealPacket({ ...message, kind: 'natAccess', target }, keys, options))

test('of a flood of one packet, the warden gets the first; the rest are a few lines and a count', () => {
  const { receive, sent } = loop()
  // Nothing is answered meanwhile: the disk may be slow.
  for (let i = 0; i < 2000; i++) receive.look([from(text(wire))])
  assert.equal(sent('knock').length, 1)
  const [refused] = sent('refused')
  assert.ok(refused?.type === 'refused')
  assert.deepEqual([refused.note.code, refused.note.stanza], ['SPA_REPLAYED', 1])
  assert.ok(sent('refused').length <= 15, `${sent('refused').length} lines`)
  receive.report(0)
  const [tally] = sent('tally')
  assert.ok(tally?.type === 'tally')
  assert.deepEqual(tally.tally.refused, { SPA_REPLAYED: 1999 })
})

for (const [answer, knocks] of [
  ['claimed', 1],
  ['unclaimed', 2],
] as const)
  test(`a packet that the warden has ${answer} is reported ${knocks === 1 ? 'no more' : 'once more'}`, () => {
    const { receive, receiving, sent } = loop()
    receive.look([from(text(wire))])
    const [knock] = sent('knock')
    assert.ok(knock?.type === 'knock')
    receive[answer]([knock.knock.digest])
    receive.reconfigure({ ...receiving }, 5)
    for (let i = 0; i < 10; i++) receive.look([from(text(wire))])
    assert.equal(sent('knock').length, knocks)
  })

test('what the kernel would not take is not opened: it is reported up to the limit, and counted', () => {
  const { receive, sent } = loop()
  const doubt = { code: 'SPA_UNBELIEVED', detail: 'its UDP checksum is wrong' } as const
  for (let i = 0; i < 100; i++) receive.look([{ ...from(text(wire)), interfaceIndex: 2, doubt }])
  assert.equal(sent('knock').length, 0)
  assert.ok(sent('refused').length <= 15, `${sent('refused').length} lines`)
  receive.report(0)
  const [tally] = sent('tally')
  assert.ok(tally?.type === 'tally')
  assert.deepEqual([tally.tally.looked, tally.tally.refused], [100, { SPA_UNBELIEVED: 100 }])
  receive.look([from(text(wire))])
  assert.equal(sent('knock').length, 1)
})

test('what a packet socket sees of web traffic is neither reported nor counted, but a forged packet there is', () => {
  const { receive, receiving, sent } = loop()
  receive.reconfigure(
    { ...receiving, policy: { ...receiving.policy, http: { anyUserAgent: false, trustForwardedFor: false } } },
    5,
  )
  const segment = (payload: string): CapturedPacket => ({
    ...from(text(payload)),
    carrier: 'tcp',
    destinationPort: port(80),
  })
  const request = (path: string, agent: string) => `GET /${path} HTTP/1.1\r\nHost: x\r\nUser-Agent: ${agent}\r\n\r\n`
  receive.look([
    segment(request('index.html', 'Mozilla/5.0'.padEnd(120))),
    segment(request('a'.repeat(40), 'Fwknop'.padEnd(90))),
  ])
  assert.deepEqual(sent('refused'), [])
  receive.look([segment(request(`8${'A'.repeat(216)}`, 'Fwknop'))])
  const [forged] = sent('refused')
  assert.ok(forged?.type === 'refused')
  assert.deepEqual([forged.note.code, forged.note.way], ['SPA_HMAC_MISMATCH', 'tcp'])
  receive.look([segment(request(wire, 'Fwknop'))])
  const [knock] = sent('knock')
  assert.ok(knock?.type === 'knock')
  assert.deepEqual([knock.knock.packet.way, knock.knock.http], ['tcp', true])
  receive.report(0)
  const [tally] = sent('tally')
  assert.ok(tally?.type === 'tally')
  assert.deepEqual([tally.tally.looked, tally.tally.refused], [2, { SPA_HMAC_MISMATCH: 1 }])
  assert.deepEqual(tally.tally.ways, { tcp: 2 })
  // The same packet by another way.
  receive.look([from(text(wire))])
  assert.equal(sent('knock').length, 1)
})

test('where replays are allowed, each copy is reported to the warden', () => {
  const { receive, sent } = loop(0, false)
  for (let i = 0; i < 20; i++) receive.look([from(text(wire))])
  assert.equal(sent('knock').length, 20)
  assert.equal(sent('refused').length, 0)
})

test('a packet that asks for a name is reported to the warden as it is, once', () => {
  const { receive, sent } = loop()
  for (let i = 0; i < 20; i++) receive.look([from(text(byName))])
  const [told, ...more] = sent('knock')
  assert.ok(told?.type === 'knock' && told.knock.message.kind === 'natAccess')
  assert.deepEqual([told.knock.message.target.host, more], [{ name: 'inner.example' }, []])
})

test('what was folded under one limit is reported before the next', () => {
  const { receive, receiving, sent } = loop()
  for (let i = 0; i < 100; i++) receive.look([from(text('A'.repeat(200)))])
  receive.reconfigure({ ...receiving }, 5)
  const [folded] = sent('suppressed')
  assert.ok(folded?.type === 'suppressed')
  assert.equal(Object.values(folded.counts)[0], 100 - sent('refused').length)
})

test('a flood of junk is a few lines, and all of it is counted', () => {
  const { receive, sent } = loop()
  const junk = from(text('A'.repeat(200)))
  for (let i = 0; i < 500; i++) receive.look([junk])
  assert.ok(sent('refused').length <= 15, `${sent('refused').length} lines`)
  assert.equal(receive.report(7), 'all reported')
  const [tally] = sent('tally')
  assert.ok(tally?.type === 'tally')
  assert.deepEqual([tally.tally.looked, tally.tally.dropped], [500, 7])
  const counts = Object.values(tally.tally.refused)
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    500,
  )
  const [folded] = sent('suppressed')
  assert.ok(folded?.type === 'suppressed')
  assert.equal(Object.values(folded.counts)[0], 500 - sent('refused').length)
})

test('one key has no more than its share under way at the warden: the rest is refused, and may come again', () => {
  const { receive, sent } = loop()
  const packets = Array.from({ length: 2001 }, (_, i) =>
    from(text(must(sealPacket({ ...message, random: String(i).padStart(16, '0') }, keys, options)))),
  )
  receive.look(packets)
  const told = sent('knock')
  assert.equal(told.length, 2000)
  const [refused] = sent('refused')
  assert.ok(refused?.type === 'refused')
  assert.deepEqual([refused.note.code, refused.note.stanza], ['KEY_BUSY', 1])
  const [first] = told
  assert.ok(first?.type === 'knock')
  receive.claimed([first.knock.digest])
  receive.look(packets.slice(-1))
  assert.equal(sent('knock').length, 2001)
})

test('a warden that does not take knocks is not drowned in them', () => {
  const { receive, sent } = loop(100 * 1024 * 1024)
  receive.look([from(text(wire))])
  assert.equal(sent('knock').length, 0)
  const [refused] = sent('refused')
  assert.ok(refused?.type === 'refused' && refused.note.code === 'WARDEN_GONE')
})

test('the stanzas that were tried are named where the policy says so: those for the source, at most eight', () => {
  const texts = [
    ['ANY', 'KEY one', 'HMAC_KEY hmac one'],
    ['192.0.2.0/24', 'KEY two', 'HMAC_KEY hmac two'],
    ['198.51.100.1', 'KEY one', 'HMAC_KEY hmac one'],
    ['ANY', 'KEY four', 'DESTINATION 203.0.113.9'],
    ['ANY', 'KEY five'],
    ['ANY', 'KEY one', 'HMAC_KEY hmac one'],
  ].map(([source, ...rest]) => [`SOURCE ${source}`, ...rest].join('\n'))
  const triedOf = (access: string, namesTrials: boolean, times = 1) => {
    const files = filesFromSnapshot({ texts: { 'access.conf': access }, folders: {}, failures: {} })
    const { stanzas } = must(parseAccessConf('access.conf', files))
    const notes: FromReceiver[] = []
    const policy = {
      http: 'off',
      refuseReplays: true,
      maxAge: 'unlimited',
      ...(namesTrials && { namesTrials }),
    } as const
    const receiving = { policy, index: new StanzaIndex(stanzas), openers: new OpenerMemory() }
    const triage = new Triage(
      receiving,
      5,
      (message) => notes.push(message),
      () => 0,
    )
    for (let i = 0; i < times; i++) triage.look([from(text(wire))])
    const refused = notes.flatMap((one) => (one.type === 'refused' ? [one.note] : []))
    assert.ok(refused.length <= 10)
    return refused[0]?.tried
  }
  const [mismatch, failed] = ['SPA_HMAC_MISMATCH', 'SPA_DECRYPT_FAILED'] as const
  assert.deepEqual(triedOf(texts.join('\n'), true, 100), [
    { stanza: 1, code: mismatch },
    { stanza: 2, code: mismatch },
    { stanza: 5, code: failed },
    { stanza: 6, code: mismatch },
  ])
  assert.equal(triedOf(texts.join('\n'), false), undefined)
  assert.equal(triedOf('SOURCE 198.51.100.1\nKEY one\n', true), undefined)
  const many = Array.from({ length: 12 }, (_, i) => `SOURCE ANY\nKEY a${i}\nHMAC_KEY b${i}\n`).join('')
  assert.equal(triedOf(many, true)?.length, 8)
})
