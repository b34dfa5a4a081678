import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { MemoryLog } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import type { ToReceiver } from '../link/protocol.ts'
import { ReceiverLimits } from './receiver-limits.ts'
import { Supervision } from './supervision.ts'

/** LOG_LIMIT */
const REFUSALS = 10

beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout'] }))
afterEach(() => mock.timers.reset())

/** A receiver that does nothing by itself, and time that passes when it is told to. */
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
    isReady: () => {},
  }
  const limits = new ReceiverLimits(REFUSALS, milliseconds(now))
  const supervision = new Supervision({
    ...{ receiver, limits, log, clock: () => now, everySecond: () => did.seconds++ },
    capture: { suspect: () => did.suspected++ },
  })
  /** @param each what happens in each of so many steps of 100 ms. */
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
    const paths = { server: '/fwknopd.conf' }
    const files = { texts: {}, folders: {}, failures: {} }
    supervision.sendConfiguration({ type: 'configure', generation: 0, paths, files, captures: [] }, bytes)
  }
  return { supervision, limits, receiver, sent, did, pass, heldUp, details, configure }
}

test('a receiver that answers is asked once a second, and is left alone', () => {
  const { supervision, sent, did, pass, details } = harness()
  supervision.begin()
  pass(60_000, () => supervision.received())
  assert.deepEqual([sent.length, did.seconds, did.killed], [60, 60, 0])
  assert.ok(sent.every((type) => type === 'alive?'))
  assert.deepEqual(details(), [])
  supervision.stop()
  pass(5000)
  assert.equal(sent.length, 60)
})

test('a receiver that is silent for more than ten seconds is ended once, and its sockets are suspect', () => {
  const { supervision, did, pass, details } = harness()
  supervision.begin()
  supervision.capturing()
  pass(10_500)
  assert.equal(did.killed, 0)
  assert.ok(supervision.isCapturing)
  pass(5000)
  assert.deepEqual(did, { killed: 1, suspected: 1, seconds: 15 })
  assert.deepEqual(details(), ['receiver hangs: it has not answered for 11000 ms'])
  assert.ok(supervision.isDistrusted && !supervision.isCapturing)
})

test('silence while this process was held up is not the receiver’s', () => {
  const { supervision, did, pass, heldUp } = harness()
  supervision.begin()
  pass(3000, () => supervision.received())
  heldUp(60_000)
  assert.equal(did.killed, 0)
  pass(5000)
  assert.equal(did.killed, 0)
  pass(10_000)
  assert.equal(did.killed, 1)
})

test('a receiver has 20 s to give up its privilege, and is not asked meanwhile', () => {
  const { supervision, sent, did, pass, details } = harness()
  supervision.begin()
  supervision.started()
  pass(19_900)
  assert.deepEqual([sent, did.killed], [[], 0])
  pass(2000)
  assert.equal(did.killed, 1)
  assert.deepEqual(details(), ['receiver hangs: it did not give up its privilege in 20000 ms'])
})

test('a configuration gives more time the longer it is', () => {
  const { supervision, did, pass, details, configure } = harness()
  supervision.begin()
  configure(5_000_000)
  pass(19_900)
  assert.equal(did.killed, 0)
  pass(3000)
  assert.equal(did.killed, 1)
  assert.deepEqual(details(), ['receiver hangs: it did not confirm its configuration in 20000 ms'])
})

test('a receiver that took its configuration in time is only asked from then on', () => {
  const { supervision, sent, did, pass, configure } = harness()
  supervision.begin()
  configure(0)
  pass(5000)
  assert.ok(supervision.isAwaited)
  supervision.settled()
  supervision.received()
  pass(8000)
  assert.deepEqual([did.killed, sent.length], [0, 9])
})

test('a receiver that is mistrusted many times at once is ended once; the next one starts with a clean sheet', () => {
  const { supervision, did, details } = harness()
  for (let i = 0; i < 5; i++) supervision.mistrust({ code: 'WARDEN_PROTOCOL', detail: 'it is odd' })
  assert.deepEqual([did.killed, details()], [1, ['receiver mistrusted: it is odd']])
  supervision.lost()
  supervision.started()
  assert.ok(!supervision.isDistrusted)
})

test('a receiver that reads nothing is ended, unless what it has not read is a configuration', () => {
  const { supervision, receiver, did, details, configure } = harness()
  receiver.send = (message) => {
    receiver.backlog += (message as ToReceiver).type === 'configure' ? 20_000_000 : 600_000
    return 0
  }
  configure(20_000_000)
  supervision.send({ type: 'claimed', digests: [] })
  assert.equal(did.killed, 0)
  supervision.send({ type: 'claimed', digests: [] })
  assert.equal(did.killed, 1)
  assert.deepEqual(details(), ['receiver mistrusted: it has not read 21200000 bytes'])
  supervision.stop()
})

test('where no receiver runs, none is asked or ended', () => {
  const { supervision, receiver, sent, did, pass } = harness()
  supervision.begin()
  receiver.pid = undefined
  pass(60_000)
  assert.deepEqual([sent, did.killed], [[], 0])
})
