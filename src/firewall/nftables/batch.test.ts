import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import { NLM_F_ACK, readAttributes, readMessages } from '../../system/netlink.ts'
import { encodeBatch } from './batch.ts'
import type { Command } from './commands.ts'

/** Bytes in hexadecimal, of which `|` separates fields for the eye. */
function hex(...texts: string[]): string {
  return texts.join('').replaceAll(/[^0-9a-f]/g, '')
}

const LONGEST_COMMENT = 'x'.repeat(120)

function ledger(count: number): Command {
  const elements = Array.from({ length: count }, (_, i) => ({
    element: { set: 'ledger', key: `${i + 1} . 0`, comment: LONGEST_COMMENT } as const,
    timeout: 1_000,
  }))
  return { verb: 'add', set: 'ledger', elements }
}

test('a batch is what linux/netfilter/nf_tables.h says, byte for byte', () => {
  const way = { set: 'dnat4', key: '192.0.2.1 . tcp . 443', value: '10.0.0.5 . 8443' } as const
  const record = { set: 'ledger', key: '258 . 1', comment: 'abc' } as const
  const { bytes, last } = encodeBatch(
    DEFAULT_TABLE,
    [
      { verb: 'delete', set: 'dnat4', elements: [{ element: way, timeout: 0 }] },
      { verb: 'add', set: 'dnat4', elements: [{ element: way, timeout: 30_000 }] },
      { verb: 'add', set: 'ledger', elements: [{ element: record, timeout: 2 ** 32 + 5 }] },
    ],
    0x8000_0000,
  )
  const table = '0e000100|67686f7374706f727400|0000'
  const dnat = '0a000200|646e61743400|0000'
  const key = '14000180|10000100|c0000201|06000000|01bb0000'
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    hex(
      // Length, type, flags, sequence, port id; family, version, subsystem.
      '14000000|1000|0100|00000080|00000000|00|00|000a',
      `4c000000|0e0a|0100|01000080|00000000|01|00|0000|${table}|${dnat}`,
      `1c000380|18000180|${key}`,
      `68000000|0c0a|0104|02000080|00000000|01|00|0000|${table}|${dnat}`,
      `38000380|34000180|${key}`,
      '10000280|0c000100|0a000005|20fb0000',
      '0c000400|0000000000007530',
      `60000000|0c0a|0504|03000080|00000000|01|00|0000|${table}|0b000200|6c656467657200|00`,
      '30000380|2c000180|10000180|0c000100|02010000|01000000',
      '0c000400|0000000100000005',
      '0a000600|00|04|61626300|0000',
      '14000000|1100|0100|04000080|00000000|00|00|000a',
    ),
  )
  assert.equal(last, 0x8000_0003)
})

test('many elements of one set are several messages, each short enough, and the last one is acknowledged', () => {
  const { bytes, last } = encodeBatch(DEFAULT_TABLE, [ledger(1_000)], 7)
  const messages = [...readMessages(bytes)].map((message) => message ?? assert.fail('a length makes no sense'))
  assert.ok(messages.length > 4)
  assert.deepEqual(
    messages.map(({ sequence }) => sequence),
    messages.map((_, i) => 7 + i),
  )
  assert.equal(last, messages.at(-2)?.sequence)
  assert.deepEqual(
    messages.filter(({ flags }) => (flags & NLM_F_ACK) !== 0).map(({ sequence }) => sequence),
    [last],
  )
  let elements = 0
  for (const { body } of messages.slice(1, -1)) {
    assert.ok(body.length < 20_000)
    const list = readAttributes(body.subarray(4)).get(3) ?? assert.fail('no elements')
    for (let at = 0; at < list.length; at += Buffer.from(list).readUInt16LE(at)) elements++
  }
  assert.equal(elements, 1_000)
})
