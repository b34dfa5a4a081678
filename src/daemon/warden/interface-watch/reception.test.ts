import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nextSilence, type ReceptionLook, type Silence, silenceConditions } from './reception.ts'

const SOCKET = { kind: 'socket', ports: ['udp/62201'] } as const

/** What each look of a series finds. @param counts received and unheard since the look before. */
function conditionsAt(counts: readonly (readonly [received: number, unheard: number])[]): readonly number[] {
  let before: ReceptionLook = { received: 100, unheard: 7 }
  let silence: Silence | undefined
  return counts.map(([received, unheard]) => {
    const now = { received: before.received + received, unheard: before.unheard + unheard }
    silence = nextSilence(silence, before, now)
    before = now
    return silenceConditions(silence, SOCKET).length
  })
}

const cases: readonly (readonly [string, readonly (readonly [number, number])[], readonly number[]])[] = [
  [
    'a quiet network',
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    ],
    [0, 0, 0, 0],
  ],
  [
    'what comes is received',
    [
      [5, 5],
      [5, 5],
      [5, 5],
      [5, 5],
    ],
    [0, 0, 0, 0],
  ],
  [
    'three packets, and three looks',
    [
      [0, 1],
      [0, 1],
      [0, 1],
      [0, 0],
    ],
    [0, 0, 1, 1],
  ],
  [
    'three at once: the receiver may be about to read them',
    [
      [0, 3],
      [3, 0],
      [0, 0],
      [0, 0],
    ],
    [0, 0, 0, 0],
  ],
  [
    'three at once, and never received',
    [
      [0, 3],
      [0, 0],
      [0, 0],
      [0, 0],
    ],
    [0, 0, 1, 1],
  ],
  [
    'two packets',
    [
      [0, 1],
      [0, 1],
      [0, 0],
      [0, 0],
    ],
    [0, 0, 0, 0],
  ],
  [
    'ended by a packet that was received',
    [
      [0, 3],
      [0, 3],
      [0, 3],
      [1, 3],
      [0, 1],
    ],
    [0, 0, 1, 0, 0],
  ],
]
for (const [what, counts, expected] of cases)
  test(`packets that are not received: ${what}`, () => assert.deepEqual(conditionsAt(counts), expected))

test('never told in a look in which a packet was received, nor before three packets', () => {
  const counts = fc.array(fc.tuple(fc.nat(1), fc.nat(2)), { maxLength: 30 })
  fc.assert(
    fc.property(counts, (series) => {
      const found = conditionsAt(series)
      let unheard = 0
      for (const [i, [received, more]] of series.entries()) {
        unheard = received > 0 ? 0 : unheard + more
        if (received > 0 || unheard < 3) assert.equal(found[i], 0)
      }
    }),
  )
})

test('says where the packets are, and what to do', () => {
  const silence = { packets: 3, looks: 3 }
  const [elsewhere] = silenceConditions(silence, { kind: 'elsewhere', by: 'br0', wanted: ['eth0'] })
  assert.equal(elsewhere?.code, 'INTF_ELSEWHERE')
  assert.match(elsewhere?.text ?? '', /come in by “br0”, which PCAP_INTF does not name, and none by “eth0”/)
  assert.match(elsewhere?.cure ?? '', /^if clients send their knocks there, .*PCAP_INTF eth0, br0;.* of strangers/)
  const [odd] = silenceConditions(silence, { kind: 'elsewhere', by: 'a\x1b[2J', wanted: ['eth0'] })
  assert.ok(!`${odd?.text}${odd?.cure}`.includes('\x1b'))
  const [unheard] = silenceConditions(silence, SOCKET)
  assert.equal(unheard?.code, 'INTF_UNHEARD')
  assert.match(unheard?.text ?? '', /udp\/62201, and none reaches the socket/)
})
