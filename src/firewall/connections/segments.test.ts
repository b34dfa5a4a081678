import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../../packet/address.ts'
import { hear, type Leg, probe, reset } from './segments.ts'

const legs: readonly Leg[] = [
  leg('192.0.2.7', 40_000, '198.51.100.1', 22),
  leg('2001:db8::7', 40_000, '2001:db8:1::1', 22),
]

for (const one of legs) {
  test(`a reset goes from the peer to ${one.end}, with the number that was asked for and a right checksum`, () => {
    const bytes = reset(one, 0xfedc_ba98)
    assert.deepEqual(hear(bytes), {
      ...{ end: one.peer, endPort: one.peerPort, peer: one.end, peerPort: one.endPort },
      ...{ expects: undefined, isReset: true },
    })
    const head = one.end.includes(':') ? 40 : 20
    assert.equal(new DataView(bytes.buffer).getUint32(head + 4), 0xfedc_ba98)
    assert.equal(sumOf(bytes, head), 0xffff)
  })

  test(`a question to ${one.end} has one byte of data and is no reset`, () => {
    const bytes = probe(one, 7)
    const head = one.end.includes(':') ? 40 : 20
    assert.equal(bytes.length, head + 21)
    assert.deepEqual([hear(bytes)?.expects, hear(bytes)?.isReset], [7, false])
    assert.equal(sumOf(bytes, head), 0xffff)
  })
}

test('no bytes make the reader throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => void hear(bytes)))
  for (const one of legs) {
    const whole = probe(one, 1)
    for (let length = 0; length < whole.length - 1; length++) assert.equal(hear(whole.slice(0, length)), undefined)
  }
})

/** The sum that a receiver makes, the pseudo header included: all ones if nothing was changed. */
function sumOf(bytes: Uint8Array, head: number): number {
  const addresses = head === 20 ? bytes.subarray(12, 20) : bytes.subarray(8, 40)
  const length = bytes.length - head
  let sum = 6 + length
  for (const part of [addresses, bytes.subarray(head)])
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) + (part[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

function leg(end: string, endPort: number, peer: string, peerPort: number): Leg {
  const [one, other] = [parseAddress(end), parseAddress(peer)]
  assert.ok(one.ok && other.ok)
  return { end: one.value, endPort, peer: other.value, peerPort }
}
