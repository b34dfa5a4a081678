import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WayBack } from '../way-back/way-back.ts'
import { perform } from './perform.ts'
import type { Step } from './steps.ts'

function open(t: TestContext): { readonly back: WayBack; readonly folder: string } {
  const folder = mkdtempSync('/var/tmp/ghostport-perform-')
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const opened = WayBack.open(join(folder, 'journal'))
  assert.ok(opened.ok, JSON.stringify(opened))
  opened.value.await()
  return { back: opened.value, folder }
}

const touch = (path: string): Step => ({
  kind: 'run',
  argv: ['touch', path],
  inverse: ['rm', '-f', path],
  about: 'made it',
})

test('steps are told as they are done, and what is owed comes last on the way back', (t) => {
  const { back, folder } = open(t)
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  const told: string[] = []
  const steps: readonly Step[] = [
    { kind: 'owe', inverse: ['sh', '-c', `test ! -e ${two} && touch ${two}.last`], about: 'last' },
    touch(one),
    { kind: 'file', file: { path: two, text: 'x', mode: 0o600 }, about: 'a file', secret: false },
    { kind: 'run', argv: ['true'], about: 'nothing to take back' },
  ]
  assert.ok(perform(back, steps, (what) => told.push(what)).ok)
  assert.deepEqual(told, [`touch ${one}`, `wrote ${two}`, 'true'])
  assert.equal(back.changes.length, 3)
  assert.ok(back.undo().ok)
  assert.deepEqual([existsSync(one), existsSync(two), existsSync(`${two}.last`)], [false, false, true])
  back.close()
})

test('a step that fails ends it, and the earlier ones can be taken back', (t) => {
  const { back, folder } = open(t)
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  const done = perform(back, [touch(one), { kind: 'run', argv: ['false'], about: 'fails' }, touch(two)], () => {})
  assert.ok(!done.ok && done.failure.code === 'CHANGE_FAILED')
  assert.deepEqual([existsSync(one), existsSync(two)], [true, false])
  assert.ok(back.undo().ok)
  assert.equal(existsSync(one), false)
  back.close()
})

test('of a service that does not start, its log is named', (t) => {
  const { back } = open(t)
  const argv = ['systemctl', 'start', 'ghostport-no-such.service'] as const
  const done = perform(back, [{ kind: 'run', argv, about: 'starts' }], () => {})
  assert.equal(!done.ok && done.failure.suggestion, 'journalctl -u ghostport-no-such.service -n 20')
  back.close()
})

test('if the dead-man switch was faster than a step, nothing goes on, and that step is taken back too', (t) => {
  const { back, folder } = open(t)
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  const slow: Step = {
    kind: 'run',
    argv: ['sh', '-c', `sh ${back.paths.script}; touch ${one}`],
    inverse: ['rm', '-f', one],
    about: 'slow',
  }
  const done = perform(back, [slow, touch(two)], () => {})
  assert.ok(!done.ok && /time was over/.test(done.failure.detail))
  assert.deepEqual([existsSync(one), existsSync(two)], [true, false])
  assert.ok(back.undo().ok)
  assert.equal(existsSync(one), false)
  back.close()
})
