import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MemoryLog } from '../../log.ts'
import { milliseconds } from '../../units.ts'
import { nameOf, RuleEnds } from './rule-ends.ts'

const T0 = 1_000_000_000_000
const granted = { verdict: 'granted', for: '1.2.3.4', grant: 'tcp/22', lifetime: 10 }

/** The log, the ends told, and a clock. */
function made(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: T0 })
  const log = new MemoryLog()
  const ends = new RuleEnds(log, () => milliseconds(Date.now()))
  const live = new Set<string>()
  ends.begin(async () => live)
  const told = () => log.records.filter(({ event }) => event === 'grant expired').map(({ fields }) => fields)
  /** Time passes, a second at a time; answers arrive in between. */
  const pass = async (seconds: number): Promise<void> => {
    for (let n = 0; n < seconds; n++) {
      t.mock.timers.tick(1000)
      for (let turn = 0; turn < 4; turn++) await Promise.resolve()
    }
  }
  return { log, ends, live, told, pass }
}

test('an end is told once, when the firewall says that the grant is gone', async (t) => {
  const { ends, live, told, pass } = made(t)
  ends.write('info', 'knock', granted)
  live.add(nameOf('1.2.3.4', 'tcp/22'))
  await pass(20)
  assert.deepEqual(told(), [])
  live.clear()
  await pass(2)
  assert.deepEqual(told(), [{ grant: 'tcp/22', for: '1.2.3.4', until: T0 / 1000 + 10 }])
  await pass(20)
  assert.equal(told().length, 1)
})

test('an end of what another node granted is told too', async (t) => {
  const { ends, told, pass } = made(t)
  ends.write('info', 'gate', { ...granted, by: 'web-1' })
  ends.write('warning', 'gate', { ...granted, verdict: 'refused', grant: 'tcp/80' })
  await pass(13)
  assert.deepEqual(told(), [{ grant: 'tcp/22', for: '1.2.3.4', until: T0 / 1000 + 10 }])
})

test('when the server stops, an end is told that nobody has told yet, and no other', async (t) => {
  const { ends, told, pass } = made(t)
  ends.write('info', 'knock', granted)
  ends.write('info', 'knock', { ...granted, grant: 'tcp/80', lifetime: 30 })
  await pass(10)
  assert.deepEqual(told(), [])
  ends.write('info', 'stopping')
  assert.deepEqual(told(), [{ grant: 'tcp/22', for: '1.2.3.4', until: T0 / 1000 + 10 }])
})

test('a grant that is opened again ends later, and never sooner', async (t) => {
  const { ends, told, pass } = made(t)
  ends.write('info', 'knock', granted)
  await pass(5)
  ends.write('info', 'knock', granted)
  ends.write('info', 'knock', { ...granted, lifetime: 1 })
  await pass(10)
  assert.deepEqual(told(), [])
  await pass(4)
  assert.deepEqual(told(), [{ grant: 'tcp/22', for: '1.2.3.4', until: T0 / 1000 + 15 }])
})

test('what had ended already, was refused, or was never opened, has no end', async (t) => {
  const { ends, told, pass } = made(t)
  ends.write('info', 'knock', granted)
  ends.write('warning', 'grant ended', { for: '1.2.3.4', grant: 'tcp/22' })
  ends.write('info', 'knock', { ...granted, grant: 'tcp/1', dryRun: true })
  ends.write('warning', 'knock', { verdict: 'refused', for: '1.2.3.4', grant: 'tcp/2' })
  await pass(30)
  assert.deepEqual(told(), [])
})

test('a grant of an earlier server ends too', async (t) => {
  const { ends, told, pass } = made(t)
  ends.write('info', 'grant found', { for: '1.2.3.4', grant: 'tcp/22', secondsLeft: 3 })
  await pass(6)
  assert.deepEqual(told(), [{ grant: 'tcp/22', for: '1.2.3.4', until: T0 / 1000 + 3 }])
})

test('a grant that was live already is marked, where that is wanted', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: T0 })
  for (const marksRenewals of [false, true]) {
    const log = new MemoryLog()
    const ends = new RuleEnds(log, () => milliseconds(Date.now()), { marksRenewals })
    ends.write('info', 'knock', granted)
    ends.write('info', 'knock', { ...granted, for: '1.2.3.5' })
    t.mock.timers.tick(9000)
    ends.write('info', 'knock', granted)
    t.mock.timers.tick(10_000)
    ends.write('info', 'knock', granted)
    const marks = log.records.map(({ fields }) => fields['renewed'] === true)
    assert.deepEqual(marks, [false, false, marksRenewals, false])
  }
})
