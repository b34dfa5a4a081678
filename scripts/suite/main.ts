/**
 * `npm test`, once set up: lint, types, then every test. Failures are printed in full, and the last line has the
 * result: `N passed, N failed`. A few files that failed beside others run once more, alone: many read clocks, and a
 * busy machine makes those wrong. Their second run counts; what failed in the first is printed all the same.
 */
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { testBatches } from './files.ts'
import { closingLine, failure, type Outcome, ofVerdict, outcomesOf } from './outcomes.ts'
import { runTestFile } from './run-file.ts'

/** What is type-checked, as in the script “typecheck” of package.json: browsers have other names than Node.js. */
const TYPED = ['.', 'web', 'web/page/worker', 'test/web']

/** In each batch. Where more files fail, the fault is not the clock. */
const MOST_AGAIN = 10

process.chdir(join(import.meta.dirname, '..', '..'))
const patterns = process.argv.slice(2)
const stop = new AbortController()
const all: Outcome[] = []
/** What failed in the first run of files that ran twice. */
const before: Outcome[] = []
/** The output of each test file; shown only if one of its tests failed. */
const outputs = new Map<string, string>()
const print = (line: string) => process.stdout.write(`${line}\n`)

// Measured: a program of the tests starts in a third of the time if it finds its modules compiled. Programs of other
// users read them too.
const compiled = mkdtempSync(join(tmpdir(), 'ghostport-compiled-'))
chmodSync(compiled, 0o755)
process.env['NODE_COMPILE_CACHE'] = compiled
process.once('exit', () => rmSync(compiled, { recursive: true, force: true }))

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    stop.abort()
    process.exit(130)
  })

try {
  if (patterns.length === 0) {
    await check('lint', 'node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off', '.')
    for (const project of TYPED)
      await check(`typecheck ${project}`, 'node_modules/typescript/bin/tsc', '-p', project, '--pretty', 'false')
  }
  const batches = testBatches('.', patterns)
  if (batches.every(({ files, patient }) => files.length + patient.length === 0))
    all.push(failure('', `no test file is named like ${patterns.join(' or ')}`))
  for (const { files, patient, concurrency, limit } of batches) {
    const failed: string[] = []
    const worker = async (queue: Iterable<string>) => {
      for (const file of queue) if (!(await runFile(file, limit))) failed.push(file)
    }
    const [queue, patientQueue] = [files.values(), patient.values()]
    // One lane of those that wait helps the others at the end. Measured: two would make clocks of the tests wrong.
    const helper = async () => {
      await worker(patientQueue)
      await worker(queue)
    }
    await Promise.all([...Array.from({ length: concurrency }, () => worker(queue)), worker(patientQueue), helper()])
    if (failed.length <= MOST_AGAIN) for (const file of failed) await runAgain(file, limit)
  }
} catch (error) {
  all.push(failure('the test runner itself', inspect(error)))
}
report()

/** The outcomes of the second run replace those of the first. */
async function runAgain(file: string, limit: number): Promise<void> {
  const first = all.filter((outcome) => outcome.file === file)
  before.push(...ofVerdict(first, 'failed'))
  all.splice(0, all.length, ...all.filter((outcome) => outcome.file !== file))
  print(`once more, alone: ${file}`)
  await runFile(file, limit)
}

/** @returns whether none of its tests failed. */
async function runFile(file: string, limit: number): Promise<boolean> {
  const started = performance.now()
  const { results, output } = await runTestFile(file, { test: limit - 20, file: limit, afterTests: 15 }, stop.signal)
  outputs.set(file, output)
  const outcomes = outcomesOf(file, results)
  const [failed, skipped] = [ofVerdict(outcomes, 'failed').length, ofVerdict(outcomes, 'skipped').length]
  const count = `${outcomes.length}${skipped > 0 ? `, ${skipped} left out` : ''}`
  tell(failed > 0 ? `✖ ${file}: ${failed} failed` : `✔ ${file} (${count})`, started, outcomes)
  return failed === 0
}

/** Runs a checker as a test of its own: its output is shown only if it fails. */
async function check(name: string, ...command: string[]): Promise<void> {
  const started = performance.now()
  await promisify(execFile)(process.execPath, command, { signal: stop.signal, maxBuffer: 64 << 20 }).then(
    () => tell(`✔ ${name}`, started, [{ verdict: 'passed', file: name, name, reason: '' }]),
    (error) => tell(`✖ ${name}`, started, [failure(name, `${error.stdout}${error.stderr || error.message}`)]),
  )
}

function tell(line: string, started: number, outcomes: readonly Outcome[]): void {
  print(`${line}, ${((performance.now() - started) / 1000).toFixed(1)} s`)
  all.push(...outcomes)
}

function report(): void {
  const skipped = ofVerdict(all, 'skipped')
  // Root can do, and install, all that the tests need. So with root, a test that was left out counts as failed.
  if (process.getuid?.() === 0)
    all.push(...skipped.map(({ file, name }) => ({ ...failure(file, 'left out, as root'), name })))
  const failed = ofVerdict(all, 'failed')
  for (const outcome of before) print(`\nfailed beside others: ${named(outcome)}`)
  for (const outcome of failed) print(`\n✖ ${named(outcome)}`)
  for (const file of new Set(failed.map((outcome) => outcome.file))) {
    const output = outputs.get(file) ?? ''
    if (output.trim() !== '') print(`\n── printed by ${file}\n${indent(output.slice(-20_000))}`)
  }
  if (skipped.length > 0) print('\nleft out:')
  for (const { file, name, reason } of skipped) print(`  ${file} › ${name}${reason === '' ? '' : `: ${reason}`}`)
  const missing = process.env['GHOSTPORT_MISSING_PACKAGES'] ?? ''
  if (missing !== '') print(`\nnot installed: ${missing}`)
  print(`\n${closingLine(all)}`)
  // Does not end by itself: a program that a test file left behind may hold our pipe.
  process.exit(failed.length > 0 ? 1 : 0)
}

/** A failure with its reason. */
function named({ file, name, reason }: Outcome): string {
  return `${file === name ? file : `${file} › ${name}`}\n${indent(reason)}`
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ')
}
