import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type FileRun, runTestFile } from './run-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-run-file-'))
after(() => rmSync(folder, { recursive: true }))
/** The time limit of a file. The tests fail where it is reached. */
const LIMIT = 60_000

async function run(body: string): Promise<FileRun> {
  const file = join(folder, 'a.test.mjs')
  writeFileSync(file, `import { after, describe, it, test } from 'node:test'\n${body}`)
  return await runTestFile(file, folder, LIMIT, 500)
}
const passed = ({ events }: FileRun): Readonly<Record<string, boolean>> =>
  Object.fromEntries(events.map((event) => [event.name, event.passed]))

test('a file that holds nothing open has no crash', async () => {
  const done = await run("test('one', () => {})")
  assert.deepEqual([passed(done), done.crash], [{ one: true }, undefined])
})

test('a file that passes, and leaves something open, crashes soon, and says what is open', async () => {
  const done = await run("test('one', () => { setInterval(() => {}, 1000) })")
  assert.deepEqual([passed(done), done.crash], [{ one: true }, 'the process ended with status 1'])
  assert.match(done.output, /after the last test of this file, something is still open: .*Timeout/)
})

test('a hook that fails, and leaves something open, ends its file soon', async () => {
  const done = await run(`describe('all', () => {
    const open = setInterval(() => {}, 1000)
    after(() => { throw new Error('first hook') })
    after(() => clearInterval(open))
    it('one', () => {})
  })`)
  assert.deepEqual(passed(done), { one: true, all: false })
  assert.match(done.output, /still open/)
})

test('work between two tests of a file is waited for', async () => {
  const done = await run(`import { setTimeout as delay } from 'node:timers/promises'
    await test('one', () => {})
    const late = setTimeout(() => {}, 60_000)
    await delay(300)
    await test('two', async () => { await delay(700) })
    clearTimeout(late)`)
  assert.deepEqual(passed(done), { one: true, two: true })
  assert.deepEqual([done.crash, done.output], [undefined, ''])
})
