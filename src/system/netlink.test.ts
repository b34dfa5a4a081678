import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAttribute, encodeMessage, errnoOf, NLMSG_ERROR, readAttributes, readMessages } from './netlink.ts'

const bytes = fc.uint8Array({ maxLength: 40 })
const heads = fc.record(
  { type: fc.nat(0xffff), flags: fc.nat(0xffff), sequence: fc.nat(0xffff_ffff) },
  { noNullPrototype: true },
)

test('what is encoded is read back, several messages in one datagram', () => {
  const message = fc.tuple(heads, fc.array(fc.tuple(fc.nat(0x3fff), bytes), { maxLength: 5 }))
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), (messages) => {
      const fixed = Uint8Array.of(1, 0, 0, 0)
      const datagram = Buffer.concat(
        messages.map(([head, attributes]) =>
          encodeMessage(
            head,
            fixed,
            attributes.map(([type, value]) => encodeAttribute(type, value)),
          ),
        ),
      )
      const read = [...readMessages(datagram)]
      assert.equal(read.length, messages.length)
      for (const [i, [head, attributes]] of messages.entries()) {
        const { body, ...rest } = read[i] ?? assert.fail('a length makes no sense')
        assert.deepEqual(rest, head)
        const found = [...readAttributes(body.subarray(4))].map(([type, value]) => [type, Buffer.from(value)])
        // Of two with one type, the later one counts.
        const wanted = new Map(attributes.map(([type, value]) => [type, Buffer.from(value)]))
        assert.deepEqual(new Map(found as [number, Buffer][]), wanted)
      }
    }),
  )
})

test('no bytes make the readers throw, or read beyond them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (datagram) => {
      const read = [...readMessages(datagram)]
      assert.ok(read.slice(0, -1).every((message) => message !== undefined))
      let total = 0
      for (const message of read) {
        if (message === undefined) continue
        total += 16 + message.body.length
        errnoOf(message)
        readAttributes(message.body)
      }
      assert.ok(total <= datagram.length)
      readAttributes(datagram)
    }),
  )
})

test('an error names its errno', () => {
  const told = new Uint8Array(new Int32Array([-2]).buffer)
  const [message] = readMessages(encodeMessage({ type: NLMSG_ERROR, flags: 0 }, told, []))
  assert.equal(message && errnoOf(message), 2)
})
