import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLog } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import { type HookEvent, hookEvent } from '../link/hook-event.ts'
import { HookTap } from './hook-tap.ts'

function tapped() {
  const log = new MemoryLog()
  const told: HookEvent[] = []
  const clock = { now: 0 }
  const tap = new HookTap(
    log,
    (event) => told.push(event),
    () => milliseconds(clock.now),
  )
  return { log, told, clock, tap }
}

const from = { source: '10.0.0.1', stanza: 2, name: 'ada', user: 'u' }
const granted = { verdict: 'granted', ...from, for: '10.0.0.9', lifetime: 30 }
const refused = { verdict: 'refused', ...from, code: 'ACCESS_PORT_DENIED', detail: 'tcp/1' }

test('grants, commands and cycles are told, with the fields that matter outside', () => {
  const { told, tap, log } = tapped()
  tap.write('info', 'knock', { ...granted, grant: 'tcp/22,tcp/80→22', sourcePort: 4 })
  tap.write('info', 'knock', { ...granted, cycle: 'udp/53', jobs: [1] })
  tap.write('info', 'knock', { ...granted, command: 'uptime', lifetime: undefined })
  assert.equal(log.records.length, 3)
  const [grant, cycle, command] = told.map(({ time: _, ...rest }) => rest)
  const common = { event: 'grant', ...from, for: '10.0.0.9' }
  assert.deepEqual(grant, { ...common, open: ['tcp/22', 'tcp/80→22'], seconds: 30 })
  assert.deepEqual(cycle, { ...common, open: ['udp/53'], seconds: 30 })
  assert.deepEqual(command, { ...common, command: 'uptime' })
})

test('ends are told: of grants, early ones with their reason, and of cycles, also by the number of their stanza', () => {
  const { told, tap, log } = tapped()
  tap.write('info', 'grant expired', { grant: 'tcp/22', for: '10.0.0.9', until: 5, stanza: 2 })
  tap.write('warning', 'grant ended', { grant: 'tcp/22', for: '10.0.0.9', detail: 'its place was needed' })
  for (const cycle of ['opened', 'closed', 'not closed'])
    tap.write('info', 'cycle', { cycle, open: 'tcp/1', stanza: 'ada' })
  assert.deepEqual(
    told.map(({ event }) => event),
    ['expiry', 'expiry', 'expiry', 'expiry'],
  )
  assert.deepEqual([told[1]?.detail, told[2]?.open, told[2]?.name], ['its place was needed', ['tcp/1'], 'ada'])
  assert.deepEqual(
    log.records.map(({ event }) => event),
    ['grant ended', 'cycle', 'cycle', 'cycle'],
  )
})

test('what opens, is refused and ends for another node is told as for a knock, with the name of the node', () => {
  const { told, tap } = tapped()
  const of = { by: 'web-1', stanza: 2, name: 'ada', for: '10.0.0.9', user: 'u' }
  tap.write('info', 'gate', { verdict: 'granted', ...of, grant: 'tcp/22', lifetime: 30 })
  tap.write('warning', 'gate', { verdict: 'refused', ...of, code: 'ACCESS_PORT_DENIED', detail: 'tcp/1' })
  tap.write('info', 'grant ended', { ...of, grant: 'tcp/22', detail: 'revoked at web-1' })
  tap.write('error', 'gate', { by: 'web-1', detail: 'the firewall does not answer' })
  const common = { stanza: 2, name: 'ada', user: 'u', for: '10.0.0.9', node: 'web-1' }
  assert.deepEqual(
    told.map(({ time: _, ...rest }) => rest),
    [
      { event: 'grant', ...common, open: ['tcp/22'], seconds: 30 },
      { event: 'refusal', ...common, code: 'ACCESS_PORT_DENIED', detail: 'tcp/1', untold: 0 },
      { event: 'expiry', ...common, open: ['tcp/22'], detail: 'revoked at web-1' },
    ],
  )
  for (const event of told) assert.deepEqual(hookEvent(JSON.parse(JSON.stringify(event))), event)
})

test('refusals are limited, and the next one says how many were not told', () => {
  const { told, clock, tap, log } = tapped()
  for (let i = 0; i < 20; i++) tap.write('warning', 'knock', refused)
  assert.equal(told.length, 3)
  clock.now = 2000
  tap.write('warning', 'refused', refused)
  assert.equal(told.length, 4)
  assert.deepEqual([told[3]?.event, told[3]?.untold, told[3]?.code], ['refusal', 17, 'ACCESS_PORT_DENIED'])
  assert.equal(log.records.length, 21)
})

test('refusals of one stanza do not hide those of another', () => {
  const { told, clock, tap } = tapped()
  for (let second = 0; second < 20; second++) {
    clock.now = second * 1000
    for (let i = 0; i < 50; i++) tap.write('warning', 'knock', refused)
  }
  const before = told.length
  assert.ok(before <= 13, `${before}`)
  tap.write('warning', 'knock', { ...refused, stanza: 7, name: 'bob' })
  assert.deepEqual([told.length - before, told.at(-1)?.name], [1, 'bob'])
})

test('refusals of two stanzas do not hide those of a third', () => {
  const { told, clock, tap } = tapped()
  for (let second = 0; second < 60; second++) {
    clock.now = second * 1000
    for (let i = 0; i < 50; i++)
      for (const stanza of [2, 3]) tap.write('warning', 'knock', { ...refused, stanza, name: `bad-${stanza}` })
    if (second % 10 !== 5) continue
    tap.write('warning', 'knock', { ...refused, stanza: 7, name: 'bob' })
    assert.equal(told.at(-1)?.name, 'bob', `in second ${second}`)
  }
})

test('noise of the network is not told, nor is any other line', () => {
  const { told, tap } = tapped()
  tap.write('info', 'refused', { verdict: 'refused', source: '10.0.0.1', code: 'SPA_HMAC_MISMATCH' })
  tap.write('info', 'ready', { warden: 1 })
  assert.deepEqual(told, [])
})

test('what is told can be read on the other side, however long a field is', () => {
  const { told, tap } = tapped()
  tap.write('info', 'knock', { ...granted, command: 'x'.repeat(5000) })
  tap.write('warning', 'knock', { ...refused, detail: 'y'.repeat(5000) })
  tap.write('info', 'knock', { ...granted, grant: `through→${'10.0.0.0/24+'.repeat(500)}10.1.0.5` })
  tap.write('info', 'knock', { ...granted, grant: 'tcp/22,'.repeat(500) })
  for (const event of told) assert.deepEqual(hookEvent(JSON.parse(JSON.stringify(event))), event)
})
