import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Folder } from './folder.ts'
import { replaceFile } from './replace-file.ts'

for (const [what, when, overwrite, left] of [
  ['while gpg works', 'make', false, ['a']],
  ['after that, until the source would be removed', 'journal', false, ['a']],
  ['and the target replaced another file', 'journal', true, ['a', 'a.gpg']],
] as const)
  test(`a source that is changed stays: ${what}`, async (t) => {
    const path = mkdtempSync(join(tmpdir(), 'gpgdir-'))
    t.after(() => rmSync(path, { recursive: true }))
    const change = (moment: string): void => {
      if (moment === when) writeFileSync(join(path, 'a'), 'a later text')
    }
    writeFileSync(join(path, 'a'), 'text')
    using folder = Folder.top(path)
    const { outcome } = await replaceFile(
      folder,
      { folder: '', source: 'a', target: 'a.gpg', size: 4 },
      { add: async () => change('journal') },
      { keepSource: false, overwrite, preserveTimes: true, remove: async () => assert.fail('removed') },
      async (_input, output) => {
        writeSync(output, 'result')
        change('make')
        return { verdict: { whole: true }, remarks: [] }
      },
    )
    assert.equal(outcome, 'source changed')
    assert.deepEqual(readdirSync(path).sort(), left)
    assert.equal(readFileSync(join(path, 'a'), 'utf8'), 'a later text')
  })
