import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFromReceiver } from './protocol.ts'

const HOSTILE = '“\u001b[2J\u009b\u202e\n” is no port'
const SHOWN = '“\\x1b[2J\\x9b\\u{202e}\\n” is no port'

test('the sentences of the receiver are printable once they are parsed', () => {
  const note = { code: 'SPA_FIELD_INVALID', source: '192.0.2.1', sourcePort: 1, destinationPort: 2 }
  assert.deepEqual(parseFromReceiver({ type: 'refused', note: { ...note, detail: HOSTILE } }), {
    ok: true,
    value: { type: 'refused', note: { ...note, detail: SHOWN } },
  })
  assert.deepEqual(parseFromReceiver({ type: 'failed', code: 'RECEIVER_GONE', detail: HOSTILE }), {
    ok: true,
    value: { type: 'failed', code: 'RECEIVER_GONE', detail: SHOWN },
  })
  assert.deepEqual(parseFromReceiver({ type: 'ready', unconfined: HOSTILE }), {
    ok: true,
    value: { type: 'ready', unconfined: SHOWN },
  })
})

test('a host of a local NAT request holds no escape sequence', () => {
  const knock = (host: string) => ({
    openedBy: 1,
    digest: Buffer.alloc(32, 1).toString('base64').replace('=', ''),
    fwknopDigest: Buffer.alloc(32, 2).toString('base64').replace('=', ''),
    message: {
      kind: 'localNatAccess',
      random: '1234567890123456',
      username: 'mallory',
      timestamp: 1,
      version: '3.0.0',
      source: 'packet-source',
      ports: [{ protocol: 'tcp', port: 80 }],
      localPort: 22,
      host,
    },
    packet: { source: '192.0.2.1', sourcePort: 1, destinationPort: 2 },
  })
  assert.ok(parseFromReceiver({ type: 'knock', knock: knock('127.0.0.1') }).ok)
  assert.ok(!parseFromReceiver({ type: 'knock', knock: knock('\u001b[2J') }).ok)
})

test('a note names stanzas by number and code, and not more than an honest receiver does', () => {
  const note = { code: 'SPA_HMAC_MISMATCH', detail: '', source: '192.0.2.1', sourcePort: 1, destinationPort: 2 }
  const parsed = (tried: unknown) => parseFromReceiver({ type: 'refused', note: { ...note, tried } }).ok
  const one = { stanza: 1, code: 'SPA_HMAC_MISMATCH' }
  for (const [tried, isGood] of [
    [[one], true],
    [Array(8).fill(one), true],
    [Array(9).fill(one), false],
    [[], false],
    [[{ ...one, stanza: 0 }], false],
    [[{ ...one, stanza: '1' }], false],
    [[{ ...one, code: 'NO_SUCH_CODE' }], false],
    [[{ ...one, detail: HOSTILE }], false],
    [one, false],
  ] as const)
    assert.equal(parsed(tried), isGood, JSON.stringify(tried))
})

test('what came in elsewhere has a number and an index, and nothing else', () => {
  const numbers = { looked: 1, dropped: 0, refused: {} }
  const parsed = (elsewhere: unknown) => parseFromReceiver({ type: 'tally', tally: { ...numbers, elsewhere } }).ok
  for (const [elsewhere, isGood] of [
    [{ packets: 3, interfaceIndex: 2 }, true],
    [{ packets: -1, interfaceIndex: 2 }, false],
    [{ packets: 3, interfaceIndex: 0 }, false],
    [{ packets: 3, interfaceIndex: 2 ** 31 }, false],
    [{ packets: 3, interfaceIndex: 2, name: 'eth0' }, false],
    [{ packets: 3 }, false],
    [3, false],
  ] as const)
    assert.equal(parsed(elsewhere), isGood, JSON.stringify(elsewhere))
})
