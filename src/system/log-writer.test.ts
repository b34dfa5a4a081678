import assert from 'node:assert/strict'
import { test } from 'node:test'
import { milliseconds } from '../units.ts'
import { LogWriter, type WriteBytes } from './log-writer.ts'

/** A reader that accepts on demand. */
function reader() {
  const got: string[] = []
  const held: { bytes: Buffer; done: Parameters<WriteBytes>[1] }[] = []
  const write: WriteBytes = (bytes, done) => void held.push({ bytes, done })
  return {
    write,
    got,
    /** Takes up to so many bytes of what is offered; all of it by default. */
    take(most = Number.POSITIVE_INFINITY): boolean {
      const offer = held.shift()
      if (offer === undefined) return false
      const bytes = offer.bytes.subarray(0, most)
      got.push(bytes.toString())
      offer.done(null, bytes.length)
      return true
    },
    fail(code: string): void {
      const error: NodeJS.ErrnoException = new Error(code)
      error.code = code
      held.shift()?.done(error, 0)
    },
  }
}

test('lines arrive whole and in order, however little is taken at a time', () => {
  const to = reader()
  const log = new LogWriter(to.write)
  for (const line of ['one\n', 'two\n', 'three\n']) log.line(line)
  while (to.take(3));
  assert.equal(to.got.join(''), 'one\ntwo\nthree\n')
})

test('a reader that stalls costs a bounded memory, and learns how much it has missed', () => {
  const to = reader()
  const log = new LogWriter(to.write, 100)
  for (let i = 0; i < 1000; i++) log.line(`line ${String(i).padStart(3, '0')}\n`) // 9 bytes each
  while (to.take());
  const lines = to.got.join('').trim().split('\n')
  const kept = lines.filter((line) => line.startsWith('line '))
  assert.equal(kept.length, 11)
  const told = JSON.parse(lines.at(-1) ?? '')
  assert.deepEqual([told.event, told.count], ['log lines lost', 1000 - 11])
  log.line('and on\n')
  while (to.take());
  assert.equal(to.got.join('').endsWith('and on\n'), true)
})

test('a reader that went away ends the log, and nothing else', () => {
  const to = reader()
  const log = new LogWriter(to.write)
  log.line('one\n')
  to.fail('EPIPE')
  log.line('two\n')
  assert.equal(to.take(), false)
})

test('a full disk loses lines, counts them, and is written to again', async () => {
  const to = reader()
  const log = new LogWriter(to.write)
  log.line('one\n')
  log.line('two\n')
  to.fail('ENOSPC')
  log.line('three\n')
  const deadline = performance.now() + 20_000
  while (!to.got.join('').includes('three')) {
    assert.ok(performance.now() < deadline)
    to.take()
    await new Promise((done) => setTimeout(done, 5))
  }
  const [told] = to.got
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('{'))
  assert.equal(JSON.parse(told ?? '{}').count, 1)
})

test('what is being written when the time is over is waited for, and no longer than that', async () => {
  const to = reader()
  const log = new LogWriter(to.write)
  log.line('one\n')
  const started = performance.now()
  await log.flush(milliseconds(30))
  assert.ok(performance.now() - started >= 29)
  to.take()
  await log.flush(milliseconds(10_000))
  assert.ok(performance.now() - started < 5000)
})
