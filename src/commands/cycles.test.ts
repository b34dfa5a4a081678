import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds, seconds } from '../units.ts'
import { type CycleNews, type CycleOrder, Cycles, type CycleTask, type Opened } from './cycles.ts'
import { Lanes } from './lanes.ts'
import { Ledger } from './ledger.ts'
import type { Ended } from './run-program.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-cycles-'))
chmodSync(folder, 0o700)
after(() => rmSync(folder, { recursive: true }))

const EXIT: Ended = { how: 'exit', status: 0, took: milliseconds(1), output: '', outputBytes: 0 }
const task = (name: string): CycleTask => ({ words: [name], runAs: {}, facts: {}, timeout: seconds(5) })
const order = (port: number, lasts: number): CycleOrder => ({
  key: `k${port}`,
  about: { stanza: '1', source: '10.0.0.1', open: `tcp/${port}`, user: 'ada' },
  open: task(`open ${port}`),
  close: task(`close ${port}`),
  seconds: seconds(lasts),
  share: 's',
})

let file = 0
let path = ''
beforeEach(() => {
  path = join(folder, `owed-${++file}`)
})

/** One process: what it ran, in order; each program ends as `how` says. */
class Process {
  readonly ran: string[] = []
  readonly news: CycleNews[] = []
  now = 1000
  how = new Map<string, Ended | Promise<Ended>>()
  readonly ledger: Ledger
  readonly cycles: Cycles

  constructor(boot = 'b1', now = 1000) {
    this.now = now
    const opened = Ledger.open(path)
    assert(opened.ok, opened.ok ? '' : opened.failure.detail)
    this.ledger = opened.value
    this.cycles = new Cycles({
      ledger: this.ledger,
      run: async ({ words: [name] }) => {
        this.ran.push(name)
        return (await this.how.get(name)) ?? EXIT
      },
      opens: new Lanes({ running: 4, runningOfShare: 4 }),
      closes: new Lanes({ running: 4, runningOfShare: 4 }),
      now: () => this.now,
      boot,
      onNews: (news) => this.news.push(news),
    })
    const read = this.ledger.read()
    assert(read.ok)
    this.cycles.restore(read.value.owed)
  }

  /** As after kill -9: no more steps. */
  kill(): void {
    this.cycles.stop()
    this.ledger.close()
  }
}
let processes: Process[] = []
const start = (boot?: string, now?: number): Process => {
  const made = new Process(boot, now)
  processes.push(made)
  return made
}
afterEach(() => {
  for (const each of processes) each.cycles.stop()
  processes = []
})

/** Lets the time of a process pass, and its timers look. */
async function pass(process: Process, ms: number): Promise<void> {
  process.now += ms
  await delay(60)
}

describe('a cycle', () => {
  it('opens once, moves its close at each further knock, and closes once', async () => {
    const one = start()
    assert.equal((await one.cycles.open(order(22, 1))).what, 'opened')
    assert.equal((await one.cycles.open(order(22, 3))).what, 'refreshed')
    assert.equal((await one.cycles.open(order(22, 1))).what, 'refreshed')
    one.now += 2900
    await delay(1100)
    assert.deepEqual(one.ran, ['open 22'])
    one.now += 200
    await delay(3000)
    assert.deepEqual(one.ran, ['open 22', 'close 22'])
    assert.equal(one.cycles.owed, 0)
    assert.deepEqual(
      one.news.map(({ what }) => what),
      ['open', 'open', 'open', 'closed'],
    )
  })

  it('that was open when its process was killed closes once, on time, in the next one', async () => {
    const one = start()
    await one.cycles.open(order(22, 1))
    one.kill()
    const two = start('b1', 1500)
    assert.deepEqual(two.ran, [])
    await pass(two, 600)
    await delay(600)
    assert.deepEqual(two.ran, ['close 22'])
    two.kill()
    assert.deepEqual(start('b1', 9000).ran, [])
  })

  it('that another boot opened closes at once', async () => {
    const one = start()
    await one.cycles.open(order(22, 3600))
    one.kill()
    const two = start('b2', 5)
    await delay(20)
    assert.deepEqual(two.ran, ['close 22'])
  })

  it('that was killed while it opened closes at once', async () => {
    const one = start()
    one.how.set('open 22', new Promise(() => {}))
    one.cycles.open(order(22, 3600))
    await delay(20)
    one.kill()
    const two = start('b1', 1001)
    await delay(20)
    assert.deepEqual(two.ran, ['close 22'])
  })

  it('that was killed while it closed closes again', async () => {
    const one = start()
    one.how.set('close 22', new Promise(() => {}))
    await one.cycles.open(order(22, 0))
    await delay(20)
    assert.deepEqual(one.ran, ['open 22', 'close 22'])
    one.kill()
    const two = start('b1', 1001)
    await delay(20)
    assert.deepEqual(two.ran, ['close 22'])
  })

  for (const [what, ended] of [
    ['fails', { ...EXIT, status: 1 }],
    ['takes too long', { ...EXIT, how: 'timeout' }],
  ] as const)
    it(`whose open ${what} closes at once`, async () => {
      const one = start()
      one.how.set('open 22', ended)
      assert.equal((await one.cycles.open(order(22, 3600))).what, 'not opened')
      await delay(20)
      assert.deepEqual(one.ran, ['open 22', 'close 22'])
      assert.equal(one.cycles.owed, 0)
    })

  it('whose program is not there owes nothing', async () => {
    const one = start()
    one.how.set('open 22', { ...EXIT, how: 'not started', why: 'no such file' })
    assert.equal((await one.cycles.open(order(22, 0))).what, 'not opened')
    await delay(20)
    assert.deepEqual([one.ran, one.cycles.owed], [['open 22'], 0])
  })

  it('that is asked for while it closes opens again afterwards', async () => {
    const one = start()
    let end = (_: Ended): void => {}
    one.how.set(
      'close 22',
      new Promise((done) => {
        end = done
      }),
    )
    await one.cycles.open(order(22, 0))
    await delay(20)
    const again: Promise<Opened> = one.cycles.open(order(22, 3600))
    await delay(20)
    assert.deepEqual(one.ran, ['open 22', 'close 22'])
    end(EXIT)
    assert.equal((await again).what, 'opened')
    assert.deepEqual(one.ran, ['open 22', 'close 22', 'open 22'])
    assert.equal(one.cycles.owed, 1)
  })

  it('whose close fails is told, and not tried again', async () => {
    const one = start()
    one.how.set('close 22', { ...EXIT, status: 7 })
    await one.cycles.open(order(22, 0))
    await delay(20)
    assert.equal(one.news.at(-1)?.what, 'not closed')
    one.kill()
    assert.deepEqual(start().ran, [])
  })

  it('without a close runs its open each time, and owes nothing', async () => {
    const one = start()
    const { close: _, ...rest } = order(22, 30)
    for (let i = 0; i < 2; i++) assert.equal((await one.cycles.open(rest)).what, 'opened')
    assert.deepEqual([one.ran, one.cycles.owed], [['open 22', 'open 22'], 0])
  })

  it('is not opened where its close cannot be recorded', async () => {
    const one = start()
    one.ledger.close()
    const opened = await one.cycles.open(order(22, 30))
    assert.equal(opened.what, 'not opened')
    assert.deepEqual(one.ran, [])
    processes = []
  })
})

describe('a cycle that is revoked', () => {
  const all = () => true

  it('closes at once, once, and not again at its time; others stay open', async () => {
    const one = start()
    await one.cycles.open(order(22, 1))
    await one.cycles.open({ ...order(23, 3600), about: { ...order(23, 1).about, stanza: '2' } })
    const closing = one.cycles.closeNow(({ stanza }) => stanza === '1')
    await closing.ended
    assert.deepEqual(closing.progress, { all: 1, good: 1, failed: 0 })
    await pass(one, 2000)
    await delay(1100)
    assert.deepEqual(one.ran, ['open 22', 'open 23', 'close 22'])
    assert.deepEqual(
      one.news.filter(({ what }) => what === 'closed').map(({ early }) => early),
      ['revoked'],
    )
    assert.equal((await one.cycles.open(order(22, 3600))).what, 'opened')
    assert.equal(one.cycles.owed, 2)
  })

  it('while it opens, closes when the open command has ended', async () => {
    const one = start()
    let opened: (ended: Ended) => void = () => {}
    one.how.set('open 22', new Promise((resolve) => (opened = resolve)))
    const job = one.cycles.open(order(22, 3600))
    const closing = one.cycles.closeNow(all)
    assert.deepEqual(closing.progress, { all: 1, good: 0, failed: 0 })
    // A knock after it is another one: it opens when that close has ended.
    const later = one.cycles.open(order(22, 3600))
    opened(EXIT)
    await closing.ended
    assert.equal((await job).what, 'opened')
    assert.equal((await later).what, 'opened')
    assert.deepEqual(one.ran, ['open 22', 'close 22', 'open 22'])
    assert.equal(one.cycles.owed, 1)
  })

  it('while it closes: what waits to be opened again is not opened', async () => {
    const one = start()
    let closed: (ended: Ended) => void = () => {}
    one.how.set('close 22', new Promise((resolve) => (closed = resolve)))
    await one.cycles.open(order(22, 0))
    await delay(20)
    const later = one.cycles.open(order(22, 3600))
    const closing = one.cycles.closeNow(all)
    assert.equal((await later).what, 'not opened')
    closed(EXIT)
    await closing.ended
    assert.deepEqual([one.ran, closing.progress.good, one.cycles.owed], [['open 22', 'close 22'], 1, 0])
  })

  it('an open command that waits for its turn does not run, also where nothing would close', async () => {
    const one = start()
    const ends: ((ended: Ended) => void)[] = []
    for (const at of [1, 2, 3, 4]) one.how.set(`open ${at}`, new Promise((resolve) => ends.push(resolve)))
    const busy = [1, 2, 3, 4].map((at) => one.cycles.open(order(at, 3600)))
    const { close: _, ...never } = order(6, 3600)
    const waiting = [one.cycles.open(order(5, 3600)), one.cycles.open(never)]
    const closing = one.cycles.closeNow(all)
    for (const end of ends) end(EXIT)
    for (const opened of await Promise.all(waiting)) assert.equal(opened.what, 'not opened')
    await Promise.all([...busy, closing.ended])
    // Two of one stanza run at once.
    assert.deepEqual(one.ran, ['open 1', 'open 2', 'close 1', 'close 2'])
    assert.deepEqual([closing.progress, one.cycles.owed], [{ all: 2, good: 2, failed: 0 }, 0])
  })

  it('and asked for twice is counted once; a close that fails is said to fail', async () => {
    const one = start()
    one.how.set('close 22', { ...EXIT, status: 1 })
    await one.cycles.open(order(22, 3600))
    const [first, second] = [one.cycles.closeNow(all), one.cycles.closeNow(all)]
    await Promise.all([first.ended, second.ended])
    assert.deepEqual([first.progress, second.progress.all], [{ all: 1, good: 0, failed: 1 }, 0])
    assert.equal(one.cycles.owed, 0)
  })

  it('whose process is killed closes at the next start, although its time has not come', async () => {
    const one = start()
    one.how.set('close 22', new Promise(() => {}))
    await one.cycles.open(order(22, 3600))
    one.cycles.closeNow(all)
    one.kill()
    const two = start('b1', 1001)
    await delay(20)
    assert.deepEqual(two.ran, ['close 22'])
  })
})

describe('the ledger', () => {
  it('is for one process at a time', () => {
    const one = start()
    const db = new DatabaseSync(path)
    assert.throws(() => db.exec('SELECT * FROM owed'), /locked/)
    db.close()
    one.kill()
  })

  it('reads what it can, and counts the rest', async () => {
    const one = start()
    await one.cycles.open(order(22, 30))
    await one.cycles.open(order(23, 30))
    one.kill()
    const db = new DatabaseSync(path)
    db.exec(`UPDATE owed SET entry = '{"about":1}' WHERE key = 'k22'`)
    db.close()
    const ledger = Ledger.open(path)
    assert(ledger.ok)
    const read = ledger.value.read()
    assert(read.ok)
    assert.deepEqual([read.value.owed.map(({ key }) => key), read.value.unreadable], [['k23'], 1])
    ledger.value.removeFile()
    assert(!existsSync(path))
  })

  it('that is another kind of file is refused', () => {
    writeFileSync(path, 'not a database, and long enough to be taken for one'.repeat(40), { mode: 0o600 })
    const opened = Ledger.open(path)
    assert(!opened.ok && opened.failure.code === 'COMMANDS_UNAVAILABLE')
  })
})
