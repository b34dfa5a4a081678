import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds } from '../units.ts'
import { SyslogWriter } from './syslog-writer.ts'
import type { Sent } from './unix-datagram.ts'

const NAME = { identity: 'fwknopd', facility: 3 }

test('a line is one message with priority, time, name and process id', () => {
  const sent: string[] = []
  const writer = new SyslogWriter(NAME, (message) => {
    sent.push(Buffer.from(message).toString())
    return 'sent'
  })
  const now = new Date(2026, 10, 6, 7, 8, 9)
  writer.line('info', 'Starting fwknopd', now)
  writer.rename({ identity: 'door', facility: 23 })
  writer.line('warning', 'x', now)
  assert.deepEqual(sent, [
    `<30>Nov  6 07:08:09 fwknopd[${process.pid}]: Starting fwknopd`,
    `<188>Nov  6 07:08:09 door[${process.pid}]: x`,
  ])
})

test('lines wait in order for a reader without room, and lost ones are counted', async () => {
  const sent: string[] = []
  let answer: Sent = 'busy'
  const writer = new SyslogWriter(NAME, (message) => {
    if (answer === 'sent') sent.push(Buffer.from(message).toString().replace(/^.*: /, ''))
    return answer
  })
  for (let i = 0; i < 4100; i++) writer.line('info', `line ${i}`)
  assert.deepEqual(sent, [])
  answer = 'sent'
  await writer.flush(milliseconds(2000))
  assert.equal(sent.length, 4097)
  assert.equal(sent[0], 'line 0')
  assert.equal(sent[4095], 'line 4095')
  assert.match(sent[4096] ?? '', /syslog did not take them/)
})

test('without a reader, the end does not wait', async () => {
  const writer = new SyslogWriter(NAME, () => 'gone')
  writer.line('info', 'x')
  const flushed = await Promise.race([writer.flush(milliseconds(60_000)).then(() => true), delay(5000, false)])
  assert.ok(flushed)
})
