/**
 * `npm test`, once set up: lint, types, then every test there is. Failures are printed in full, and the last line alone
 * says how it went: `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type Output, runBatch } from './batch.ts'
import { testBatches } from './files.ts'
import { endRunningFiles } from './run-file.ts'
import { Tally } from './tally.ts'

const root = join(import.meta.dirname, '..', '..')
const patterns = process.argv.slice(2)
const tally = new Tally()
const output: Output = new Map()
const isRoot = process.getuid?.() === 0

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    endRunningFiles()
    process.exit(130)
  })

try {
  if (patterns.length === 0) {
    await check('lint', ['node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off', '.'])
    await check('typecheck', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--pretty', 'false'])
  }
  const batches = testBatches(root, patterns)
  if (batches.length === 0) tally.fail('', `no test file is named like ${patterns.join(' or ')}`, '')
  for (const batch of batches) await runBatch(batch, root, tally, output)
} catch (error) {
  tally.fail('scripts/suite/main.ts', 'the test runner itself', inspect(error))
}
report()

/** Runs a checker as a test of its own: what it prints matters only where it fails. */
async function check(name: string, command: readonly string[]): Promise<void> {
  const started = performance.now()
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  const status = await new Promise<number | null>((done, failed) => {
    child.once('error', failed)
    child.once('close', done)
  })
  const took = ((performance.now() - started) / 1000).toFixed(1)
  if (status === 0) tally.passed++
  else tally.fail(name, name, text)
  process.stdout.write(`${status === 0 ? '✔' : '✖'} ${name}, ${took} s\n`)
}

function report(): void {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  // Root can do, and install, all that the tests ask for: there whatever is left out is a test that failed.
  if (isRoot) tally.failSkips('left out, as root')

  for (const { file, name, reason } of tally.failures) {
    print(`\n✖ ${file === name ? file : `${file} › ${name}`}`)
    if (reason !== '') print(indent(reason))
  }
  for (const file of new Set(tally.failures.map((failure) => failure.file))) {
    const text = output.get(file)
    if (text !== undefined && text.trim() !== '') print(`\n── printed by ${file}\n${indent(text.slice(-20_000))}`)
  }
  if (tally.skips.length > 0) {
    print('\nleft out:')
    for (const { file, name, reason } of tally.skips) print(`  ${file} › ${name}${reason === '' ? '' : `: ${reason}`}`)
  }
  const missing = process.env['GHOSTPORT_MISSING_PACKAGES'] ?? ''
  if (missing !== '') print(`\nnot installed: ${missing}`)
  print('')
  print(tally.closingLine())
  process.exitCode = tally.failures.length > 0 ? 1 : 0
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ')
}
