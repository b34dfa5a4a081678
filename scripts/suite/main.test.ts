/** What `npm test` prints, and how it ends, in a tree made for this test. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'

const root = mkdtempSync(join(tmpdir(), 'ghostport-suite-'))
after(() => rmSync(root, { recursive: true, force: true }))
cpSync(import.meta.dirname, join(root, 'scripts/suite'), { recursive: true })
mkdirSync(join(root, 'test'))
writeFileSync(join(root, 'package.json'), '{ "type": "module" }')

const HEAD = "import assert from 'node:assert/strict'\nimport { describe, it, test } from 'node:test'\n"
const HANGS = 'new Promise((done) => setTimeout(done, 60_000))'

/** Writes a file of tests. @returns its path below the root. */
function fileOf(name: string, body: string): string {
  writeFileSync(join(root, 'test', `${name}.test.ts`), HEAD + body)
  return `test/${name}.test.ts`
}

/** Runs Node.js in the root. */
function node(...words: string[]): Promise<{ readonly status: unknown; readonly text: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, words, { cwd: root, timeout: 60_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : error.code, text: stdout + stderr }),
    ),
  )
}

describe('the suite', { concurrency: true }, () => {
  it('tells each file, each failure with what the file printed, and at the end how many', async () => {
    fileOf('told-good', "describe('suite', () => { it('one', () => {}); it('two', () => {}) })")
    fileOf('told-bad', "test('three', () => { console.log('seen'); assert.fail('so') })\ntest('four', () => {})")
    const { status, text } = await node('scripts/suite/main.ts', 'told-')
    assert.equal(status, 1)
    assert.match(text, /^✔ test\/told-good\.test\.ts \(2\), \d+\.\d s$/m)
    assert.match(text, /^✖ test\/told-bad\.test\.ts: 1 failed, \d+\.\d s$/m)
    assert.match(text, /^✖ test\/told-bad\.test\.ts › three\n {4}AssertionError .*: so$/m)
    assert.match(text, /^── printed by test\/told-bad\.test\.ts\n {4}seen$/m)
    assert.match(text, /\n\n3 passed, 1 failed\n$/)
  })

  it('runs a file that failed once more when all others are done, and tells both', async () => {
    const seen = JSON.stringify(join(root, 'seen'))
    fileOf(
      'again-late',
      `import { existsSync, writeFileSync } from 'node:fs'
      test('good', () => {})
      test('late', () => { const was = existsSync(${seen}); writeFileSync(${seen}, ''); assert.ok(was, 'too late') })`,
    )
    fileOf('again-bad', "test('bad', () => assert.fail('so'))")
    const { status, text } = await node('scripts/suite/main.ts', 'again-')
    assert.equal(status, 1)
    assert.match(text, /^once more, alone: test\/again-late\.test\.ts\n✔ test\/again-late\.test\.ts \(2\)/m)
    assert.match(text, /^failed beside others: test\/again-late\.test\.ts › late\n {4}AssertionError .*: too late$/m)
    assert.match(text, /^✖ test\/again-bad\.test\.ts › bad$/m)
    assert.match(text, /\n\n2 passed, 1 failed\n$/)
  })

  it('runs nothing again where many files fail', async () => {
    for (let i = 0; i < 11; i++) fileOf(`many-${i}`, "test('bad', () => assert.fail('so'))")
    const { text } = await node('scripts/suite/main.ts', 'many-')
    assert.doesNotMatch(text, /once more/)
    assert.match(text, /\n\n0 passed, 11 failed\n$/)
  })

  it('tells what was left out, which for root is a failure', async () => {
    fileOf('skips', "test('one', () => {})\ntest('two', { skip: 'no chromium' }, () => {})")
    const { status, text } = await node('scripts/suite/main.ts', 'skips')
    const isRoot = process.getuid?.() === 0
    assert.equal(status, isRoot ? 1 : 0)
    assert.match(text, /^left out:\n {2}test\/skips\.test\.ts › two: no chromium$/m)
    assert.match(text, isRoot ? /\n1 passed, 1 failed, 1 skipped\n$/ : /\n1 passed, 0 failed, 1 skipped\n$/)
  })

  it('fails where no file is named so', async () => {
    const { status, text } = await node('scripts/suite/main.ts', 'no such file')
    assert.equal(status, 1)
    assert.match(text, /no test file is named like no such file\n\n0 passed, 1 failed\n$/)
  })

  it('ends what it runs when it is told to end', async () => {
    const pidFile = join(root, 'pid')
    fileOf(
      'stopped',
      `import { writeFileSync } from 'node:fs'
      test('waits', () => { writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); return ${HANGS} })`,
    )
    const suite = spawn(process.execPath, ['scripts/suite/main.ts', 'stopped'], { cwd: root, stdio: 'ignore' })
    const pid = await readWhenThere(pidFile, suite)
    suite.kill('SIGTERM')
    assert.deepEqual(await once(suite, 'exit'), [130, null])
    for (let i = 0; i < 100 && isAlive(pid); i++) await setTimeout(50)
    assert.ok(!isAlive(pid))
  })
})

async function readWhenThere(file: string, writer: ChildProcess): Promise<number> {
  for (let i = 0; i < 200; i++) {
    assert.equal(writer.exitCode, null)
    try {
      const text = readFileSync(file, 'utf8')
      if (text !== '') return Number(text)
    } catch {
      // not yet
    }
    await setTimeout(50)
  }
  return assert.fail(`${file} is not written`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
