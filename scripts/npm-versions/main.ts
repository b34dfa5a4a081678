/**
 * `npm run npm-versions [-- MACHINE…]`: the README's commands (`npm run build`, `npm start`, `npm test`), each
 * machine's in a clean clone, with the Node.js and npm that Debian has and with newer ones. Takes some six minutes a
 * machine; `npm test` has the short form (test/setup/npm-versions.test.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { binFolder, cloneTo, npm } from './clean-clone.ts'
import { fetchPrograms, type Machine, machines } from './packages.ts'

const COMMANDS = [['run', 'build'], ['start'], ['test']] as const

const say = (line: string) => process.stdout.write(`${line}\n`)

const names = process.argv.slice(2)
const unknown = names.find((name) => !machines.some((machine) => machine.name === name))
if (unknown !== undefined) {
  say(`there is no machine “${unknown}”. There are: ${machines.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
let passed = 0
let failed = 0
for (const machine of machines) if (names.length === 0 || names.includes(machine.name)) await tryMachine(machine)
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

async function tryMachine(machine: Machine): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-npm-'))
  try {
    const bin = binFolder(folder, fetchPrograms(machine, folder))
    const clone = join(folder, 'clone')
    cloneTo(clone)
    for (const words of COMMANDS) {
      const started = performance.now()
      const { status, text } = await npm(clone, bin, words)
      const took = Math.round((performance.now() - started) / 1000)
      const last = text.trim().split('\n').at(-1) ?? ''
      const label = `${machine.name} (Node.js ${machine.node}, npm ${machine.npm}): npm ${words.join(' ')}`
      if (status === 0) passed++
      else failed++
      say(`${status === 0 ? '✔' : '✖'} ${label}, ${took} s: ${last}`)
      if (status !== 0) say(text.slice(-20_000).replaceAll(/^/gm, '    '))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
