import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { MemoryLog } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import type { ToReceiver } from '../link/protocol.ts'
import { ReceiverHealth } from './receiver-health.ts'
import { ReceiverLimits } from './receiver-limits.ts'

/** LOG_LIMIT */
const REFUSALS = 10

beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout'] }))
afterEach(() => mock.timers.reset())

/** A receiver that does nothing by itself, and a clock that moves on demand. */
function harness() {
  let now = 5000
  const log = new MemoryLog()
  const sent: ToReceiver['type'][] = []
  const did = { killed: 0, suspected: 0, seconds: 0 }
  const receiver = {
    pid: 7 as number | undefined,
    backlog: 0,
    send: (message: unknown) => sent.push((message as ToReceiver).type),
    kill: () => did.killed++,
    becameReady: () => {},
  }
  const limits = new ReceiverLimits(REFUSALS, milliseconds(now))
  const health = new ReceiverHealth({
    ...{ receiver, limits, log, clock: () => now, everySecond: () => did.seconds++ },
    capture: { suspect: () => did.suspected++ },
  })
  /** @param each what happens in each step of 100 ms. */
  const pass = (time: number, each: () => void = () => {}): void => {
    for (const end = now + time; now < end; ) {
      now += 100
      mock.timers.tick(100)
      each()
    }
  }
  /** Time passes, and nothing runs in this process: an interval fires once, late. */
  const heldUp = (time: number): void => {
    now += time
    mock.timers.tick(1000)
  }
  const details = () => log.records.map(({ event, fields }) => `${event}: ${fields['detail']}`)
  const configure = (bytes: number): void => {
    const source = { server: '/fwknopd.conf' }
    const files = { texts: {}, folders: {}, failures: {} }
    health.sendConfiguration({ type: 'configure', generation: 0, source, files, captures: [] }, bytes)
  }
  return { health, limits, receiver, sent, did, pass, heldUp, details, configure }
}

test('a receiver that answers is asked once a second, and is left alone', () => {
  const { health, sent, did, pass, details } = harness()
  health.begin()
  pass(60_000, () => health.received())
  assert.deepEqual([sent.length, did.seconds, did.killed], [60, 60, 0])
  assert.ok(sent.every((type) => type === 'alive?'))
  assert.deepEqual(details(), [])
  health.stop()
  pass(5000)
  assert.equal(sent.length, 60)
})

test('a receiver that is silent for more than ten seconds is ended once, and its sockets are suspect', () => {
  const { health, did, pass, details } = harness()
  health.begin()
  health.captureBegan()
  pass(10_500)
  assert.equal(did.killed, 0)
  assert.ok(health.isCapturing)
  pass(5000)
  assert.deepEqual(did, { killed: 1, suspected: 1, seconds: 15 })
  assert.deepEqual(details(), ['receiver hangs: it has not answered for 11000 ms'])
  assert.ok(health.isDistrusted && !health.isCapturing)
})

test('it is well while it answers, and for five seconds after that', () => {
  const { health, pass } = harness()
  health.begin()
  assert.ok(!health.isWell, 'nothing is received yet')
  health.started()
  assert.ok(health.isWell, 'it starts')
  health.settled()
  health.captureBegan()
  pass(20_000, () => {
    health.received()
    assert.ok(health.isWell)
  })
  pass(4_900)
  assert.ok(health.isWell)
  pass(300)
  assert.ok(!health.isWell)
})

test('one that reads a large configuration is well until its deadline; then it is not until the next one starts', () => {
  const { health, pass, did, configure } = harness()
  health.begin()
  health.captureBegan()
  configure(20_000_000)
  pass(49_000, () => assert.ok(health.isWell))
  pass(2_000)
  assert.equal(did.killed, 1)
  assert.ok(!health.isWell)
  health.lost()
  health.started()
  assert.ok(health.isWell)
})

test('receivers that start without end are not well after two minutes', () => {
  const { health, pass } = harness()
  health.begin()
  health.captureBegan()
  for (let at = 0; at < 119; at += 17) {
    health.lost()
    health.started()
    assert.ok(health.isWell)
    pass(17_000)
  }
  health.lost()
  health.started()
  pass(2_000)
  assert.ok(!health.isWell)
})

test('after this process was held up, a receiver is as well as before', () => {
  const { health, pass, heldUp } = harness()
  health.begin()
  health.captureBegan()
  pass(2000, () => health.received())
  heldUp(60_000)
  assert.ok(health.isWell)
})

test('silence while this process was held up is not the receiver’s', () => {
  const { health, did, pass, heldUp } = harness()
  health.begin()
  pass(3000, () => health.received())
  heldUp(60_000)
  assert.equal(did.killed, 0)
  pass(5000)
  assert.equal(did.killed, 0)
  pass(10_000)
  assert.equal(did.killed, 1)
})

test('a receiver has 20 s to give up its privilege, and is not asked meanwhile', () => {
  const { health, sent, did, pass, details } = harness()
  health.begin()
  health.started()
  pass(19_900)
  assert.deepEqual([sent, did.killed], [[], 0])
  pass(2000)
  assert.equal(did.killed, 1)
  assert.deepEqual(details(), ['receiver hangs: it did not give up its privilege in 20000 ms'])
})

test('a configuration gives more time the longer it is', () => {
  const { health, did, pass, details, configure } = harness()
  health.begin()
  configure(5_000_000)
  pass(19_900)
  assert.equal(did.killed, 0)
  pass(3000)
  assert.equal(did.killed, 1)
  assert.deepEqual(details(), ['receiver hangs: it did not confirm its configuration in 20000 ms'])
})

test('a receiver that took its configuration in time is only asked from then on', () => {
  const { health, sent, did, pass, configure } = harness()
  health.begin()
  configure(0)
  pass(5000)
  assert.ok(health.isAwaited)
  health.settled()
  health.received()
  pass(8000)
  assert.deepEqual([did.killed, sent.length], [0, 9])
})

test('a receiver that is mistrusted many times at once is ended once; the next one starts with a clean sheet', () => {
  const { health, did, details } = harness()
  for (let i = 0; i < 5; i++) health.mistrust({ code: 'WARDEN_PROTOCOL', detail: 'it is odd' })
  assert.deepEqual([did.killed, details()], [1, ['receiver mistrusted: it is odd']])
  health.lost()
  health.started()
  assert.ok(!health.isDistrusted)
})

test('what an earlier receiver sent is not held against the next one', () => {
  const { health, did, details } = harness()
  health.started()
  const { number } = health
  health.lost()
  health.started()
  health.mistrust({ code: 'WARDEN_FORBIDDEN', detail: 'it is late' }, number)
  assert.deepEqual([did.killed, details(), health.isDistrusted], [0, [], false])
  health.mistrust({ code: 'WARDEN_FORBIDDEN', detail: 'it is its own' }, health.number)
  assert.deepEqual([did.killed, details()], [1, ['receiver mistrusted: it is its own']])
  health.stop()
})

test('a receiver that reads nothing is ended, unless what it has not read is a configuration', () => {
  const { health, receiver, did, details, configure } = harness()
  receiver.send = (message) => {
    receiver.backlog += (message as ToReceiver).type === 'configure' ? 20_000_000 : 600_000
    return 0
  }
  configure(20_000_000)
  health.send({ type: 'claimed', digests: [] })
  assert.equal(did.killed, 0)
  health.send({ type: 'claimed', digests: [] })
  assert.equal(did.killed, 1)
  assert.deepEqual(details(), ['receiver mistrusted: it has not read 21200000 bytes'])
  health.stop()
})

test('where no receiver runs, none is asked or ended', () => {
  const { health, receiver, sent, did, pass } = harness()
  health.begin()
  receiver.pid = undefined
  pass(60_000)
  assert.deepEqual([sent, did.killed], [[], 0])
})
