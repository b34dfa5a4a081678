import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { OwnCommands } from './own-command.ts'

const skip = process.getuid?.() !== 0 && 'a higher priority needs root'

it('a command of the console does not have the priority of the warden', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-own-command-'))
  const given = getPriority()
  t.after(() => {
    setPriority(given)
    rmSync(folder, { recursive: true })
  })
  const file = join(folder, 'program.mjs')
  // It is looked at after a moment: the warden changes the priority of a program that runs already.
  const look = 'setTimeout(() => console.log(JSON.stringify(getPriority())), 200)'
  writeFileSync(file, `import { getPriority } from 'node:os'\n${look}\n`)
  setPriority(-10)
  assert.deepEqual(await new OwnCommands({ options: [], file }).run([]), { ok: true, value: 0 })
})
