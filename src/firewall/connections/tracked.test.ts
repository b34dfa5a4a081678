import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../../packet/address.ts'
import { encodeAttribute, encodeMessage, readMessages } from '../../system/netlink.ts'
import { type Direction, endTracking, readTracked, TCP, UDP } from './tracked.ts'

/** Answers of the kernel: NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW. */
const CT_NEW = 0x100
const NFGENMSG = new Uint8Array(4)
const one: Direction = {
  ...{ source: '192.0.2.1' as IpAddress, sourcePort: 40_000 },
  ...{ destination: '192.0.2.2' as IpAddress, destinationPort: 22 },
}

/** The tuple of one direction, as {@link endTracking} writes it, with another type. */
function tuple(type: number, protocol: number, direction: Direction): Uint8Array {
  const bytes = Uint8Array.from(endTracking(protocol, direction).subarray(20))
  new DataView(bytes.buffer).setUint16(2, type | 0x8000, true)
  return bytes
}

function read(bytes: Uint8Array) {
  return [...readMessages(bytes)].map((message) => message && readTracked(message))
}

function message(...attributes: readonly Uint8Array[]): Uint8Array {
  return encodeMessage({ type: CT_NEW, flags: 0 }, NFGENMSG, attributes)
}

test('both directions, protocol and mark are read, of both families', () => {
  const six: Direction = { ...one, source: '2001:db8::1' as IpAddress, destination: '2001:db8::2' as IpAddress }
  for (const [direction, protocol] of [
    [one, TCP],
    [six, UDP],
  ] as const) {
    const mark = encodeAttribute(8, Uint8Array.of(0, 0x20, 0, 1))
    const [found] = read(message(tuple(1, protocol, direction), tuple(2, protocol, direction), mark))
    assert.deepEqual(found, { protocol, original: direction, reply: direction, mark: 0x200001, isOver: false })
  }
})

test('what lacks a direction is no connection', () => {
  assert.deepEqual(read(message(tuple(1, TCP, one))), [undefined])
  assert.deepEqual(read(message()), [undefined])
})

test('no bytes make the reader throw, or read more than there is', () => {
  const good = message(
    tuple(1, TCP, one),
    tuple(2, TCP, one),
    encodeAttribute(4, encodeAttribute(0x8001, tuple(1, TCP, one))),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        // A good message with some bytes changed, cut, and with something behind it.
        fc
          .tuple(
            fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
            fc.nat(good.length),
            fc.uint8Array({ maxLength: 40 }),
          )
          .map(([changes, cut, more]) => {
            const bytes = Uint8Array.from(good)
            for (const [at, value] of changes) bytes[at] = value
            return Uint8Array.from([...bytes.subarray(0, cut), ...more])
          }),
      ),
      (bytes) => {
        // In the middle of other memory, as where the kernel writes it.
        const room = new Uint8Array(bytes.length + 64).fill(0xaa)
        room.set(bytes, 32)
        const all = read(room.subarray(32, 32 + bytes.length))
        assert.ok(all.length <= bytes.length / 16 + 1)
        for (const found of all) {
          if (found === undefined) continue
          for (const { sourcePort, destinationPort } of [found.original, found.reply])
            assert.ok(sourcePort <= 65_535 && destinationPort <= 65_535)
        }
      },
    ),
    { numRuns: 3000 },
  )
})
