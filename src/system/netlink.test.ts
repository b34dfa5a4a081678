import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeAttribute,
  encodeMessage,
  errnoOf,
  MessageWriter,
  NLMSG_ERROR,
  readAttributes,
  readMessages,
} from './netlink.ts'

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

test('the writer writes what is encoded part by part, however much it is', () => {
  const values = fc.array(fc.tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 700 })), { maxLength: 6 })
  fc.assert(
    fc.property(fc.array(fc.tuple(heads, values), { maxLength: 4 }), (messages) => {
      const writer = new MessageWriter()
      const wanted: Uint8Array[] = []
      for (const [{ type, flags, sequence }, attributes] of messages) {
        writer.begin(type, flags, sequence)
        writer.uint8(1)
        writer.uint8(2)
        writer.uint16(0x0304)
        for (const [kind, value] of attributes) {
          const start = writer.open(kind)
          writer.bytes(value)
          writer.close(start)
        }
        writer.end()
        const parts = attributes.map(([kind, value]) => encodeAttribute(kind, value))
        wanted.push(encodeMessage({ type, flags, sequence }, Uint8Array.of(1, 2, 3, 4), parts))
      }
      assert.equal(writer.length, writer.written().length)
      assert.deepEqual(Buffer.from(writer.written()), Buffer.concat(wanted))
    }),
  )
})

test('the writer makes room for each kind of number and text, wherever its memory ends', () => {
  for (let before = 980; before <= 1_024; before++) {
    const writer = new MessageWriter()
    writer.bytes(new Uint8Array(before).fill(0xaa))
    writer.hostUint32(0x0102_0304)
    writer.uint64(0x0005_0607_0809_0a0b)
    writer.uint16(0xfffe)
    writer.uint8(0xfd)
    writer.cString('ab')
    writer.string(7, 'c')
    const tail = Buffer.from(writer.written().subarray(before)).toString('hex')
    const text = `04030201${'00050607'}08090a0bfffefd616200060007006300`
    assert.equal(tail.slice(0, text.length), text)
    assert.match(tail.slice(text.length), /^(00){0,3}$/)
  }
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
