/** Test files that go wrong in each way, each run in a folder of its own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type Outcome, outcomesOf } from './outcomes.ts'
import type { FileRun, Limits } from './run-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-run-file-'))
after(() => rmSync(folder, { recursive: true }))
// A program of its own, since node:test does not run a runner within a test.
writeFileSync(
  join(folder, 'run.mjs'),
  `import { runTestFile } from ${JSON.stringify(join(import.meta.dirname, 'run-file.ts'))}
  const [file, limits] = process.argv.slice(2)
  process.stdout.write(JSON.stringify(await runTestFile(file, JSON.parse(limits), new AbortController().signal), (key, value) =>
    value instanceof Error ? { ...value, failureType: value.failureType, cause: String(value.cause?.stack ?? value.cause) } : value))
  process.exit()`,
)
const HANGS = 'new Promise((done) => setTimeout(done, 60_000))'
/** In seconds: enough for a file to start on a busy machine. */
const LIMIT = 5

let files = 0
async function run(
  body: string,
  limits: Limits,
): Promise<{ outcomes: readonly Outcome[]; output: string; ms: number }> {
  const file = `${files++}.test.mjs`
  writeFileSync(
    join(folder, file),
    `import assert from 'node:assert/strict'\nimport { after, describe, it, test } from 'node:test'\n${body}`,
  )
  const started = performance.now()
  const words = ['run.mjs', file, JSON.stringify(limits)]
  const text = await new Promise<string>((resolve) =>
    execFile(process.execPath, words, { cwd: folder, timeout: 60_000, killSignal: 'SIGKILL' }, (_, out) =>
      resolve(out),
    ),
  )
  const { results, output } = JSON.parse(text) as FileRun
  return { outcomes: outcomesOf(file, results), output, ms: performance.now() - started }
}
const told = (outcomes: readonly Outcome[]) =>
  outcomes.map(({ verdict, name, reason }) => `${verdict} ${name}${reason === '' ? '' : `: ${reason}`}`)

describe('a file of tests', { concurrency: 4 }, () => {
  // what it does → the file, and what is told of it: an outcome a line
  const cases: readonly (readonly [string, string, readonly RegExp[]])[] = [
    ['passes', "test('one', () => {})", [/^passed one$/]],
    ['has a test that fails', "test('adds', () => assert.equal(1, 2))", [/^failed adds: AssertionError .*1 !== 2/s]],
    ['leaves a test out', "test('one', { skip: 'no root' }, () => {})", [/^skipped one: no root$/]],
    ['is killed', "process.kill(process.pid, 'SIGSEGV')", [/^failed .*: the process ended with SIGSEGV$/]],
    [
      'ends before its tests do',
      `test('waits', () => ${HANGS})\nsetTimeout(() => process.exit(7), 100)`,
      [/^failed .*: the process ended with status 7$/],
    ],
    ['is no program', "import nothing from './nothing.ts'", [/^failed .*: the process ended with status 1$/]],
    ['has no test', "describe('empty', () => {})", [/^failed .*: the file ran no test$/]],
    [
      'does work between two tests',
      `const delay = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))
      await test('one', () => {})
      const late = setTimeout(() => {}, 60_000)
      await delay(300)
      await test('two', async () => { await delay(2_500) })
      clearTimeout(late)`,
      [/^passed one$/, /^passed two$/],
    ],
  ]
  for (const [what, body, expected] of cases)
    it(what, async () => {
      const { outcomes } = await run(body, { test: 60, file: 60, afterTests: 2 })
      const lines = told(outcomes)
      assert.equal(lines.length, expected.length, lines.join('\n'))
      for (const [at, pattern] of expected.entries()) assert.match(lines[at] ?? '', pattern)
    })

  const hanging: readonly (readonly [string, string, RegExp])[] = [
    ['has a test that never yields', "test('turns', () => { for (;;); })", /^failed .*: not done after \d+ s$/m],
    [
      'ignores SIGTERM',
      `process.on('SIGTERM', () => {})\ntest('waits', () => ${HANGS}, { timeout: 60_000 })`,
      /^failed .*: not done after \d+ s$/m,
    ],
  ]
  for (const [what, body, expected] of hanging)
    it(`${what}: it ends at its limit, as a failure`, async () => {
      const { outcomes, ms } = await run(body, { test: 60, file: LIMIT, afterTests: 60 })
      assert.match(told(outcomes).join('\n'), expected)
      assert.ok(ms < (LIMIT + 10) * 1000, `${ms} ms`)
    })

  it('has a test that never ends: the test is named', async () => {
    const { outcomes } = await run(`test('waits', () => ${HANGS})`, { test: 1, file: 60, afterTests: 1 })
    assert.match(told(outcomes).join('\n'), /^failed waits: test timed out after 1000ms$/m)
  })

  // what is left open → the file, and what is told of it
  const open: readonly (readonly [string, string, RegExp])[] = [
    ['a timer', "test('one', () => { setInterval(() => {}, 1000) })", /still open: .*Timeout/],
    [
      'a timer, since a hook before the one that ends it failed',
      `describe('all', () => {
        const open = setInterval(() => {}, 1000)
        after(() => { throw new Error('first hook') })
        after(() => clearInterval(open))
        it('one', () => {})
      })`,
      /still open: .*Timeout/,
    ],
    [
      'a program that holds its output',
      `import { spawn } from 'node:child_process'
      test('one', () => void spawn('sleep', ['20'], { stdio: 'inherit' }).unref())`,
      /^$/,
    ],
  ]
  for (const [what, body, output] of open)
    it(`leaves open ${what}: it ends soon after its tests, as a failure`, async () => {
      const done = await run(body, { test: 60, file: 60, afterTests: 1 })
      assert.match(told(done.outcomes).join('\n'), /^failed \d+\.test\.mjs: not done after \d+ s$/m)
      assert.match(told(done.outcomes).join('\n'), /^passed one$/m)
      assert.match(done.output, output)
      assert.ok(done.ms < 20_000, `${done.ms} ms`)
    })
})
