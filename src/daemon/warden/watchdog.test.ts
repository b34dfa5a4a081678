import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLog } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import { Watchdog } from './watchdog.ts'

function harness() {
  const log = new MemoryLog()
  const host = { isWell: true, isInPlace: async () => true as boolean }
  const told = { times: 0 }
  const watchdog = new Watchdog({
    manager: { patience: milliseconds(60_000), alive: () => told.times++ },
    health: host,
    firewall: { isInPlace: () => host.isInPlace() },
    log,
  })
  return { log, host, told, watchdog }
}

test('the manager is told only if packets are received and the rules are there', async () => {
  const { host, told, watchdog, log } = harness()
  await watchdog.look()
  assert.equal(told.times, 1)
  host.isWell = false
  await watchdog.look()
  host.isWell = true
  host.isInPlace = async () => false
  await watchdog.look()
  host.isInPlace = () => Promise.reject(new Error('a defect'))
  await watchdog.look()
  assert.equal(told.times, 1)
  host.isInPlace = async () => true
  await watchdog.look()
  assert.equal(told.times, 2)
  // Once, and not at each look.
  assert.deepEqual(
    log.records.map(({ event, fields }) => `${event}: ${fields['detail']}`),
    ['not well: no packets are received. If this lasts, the service manager restarts the server'],
  )
})

test('a firewall that does not answer leaves the manager untold, and is asked once', async () => {
  const { host, told, watchdog } = harness()
  let asked = 0
  let answer = (_: boolean): void => {}
  host.isInPlace = () => {
    asked++
    return new Promise((resolve) => {
      answer = resolve
    })
  }
  const first = watchdog.look()
  await watchdog.look()
  assert.deepEqual([asked, told.times], [1, 0])
  answer(true)
  await first
  assert.equal(told.times, 1)
})
