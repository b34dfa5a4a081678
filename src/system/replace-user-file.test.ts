import assert from 'node:assert/strict'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createUserFile, replaceUserFile } from './replace-user-file.ts'

describe('a file of the user', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-files-'))
  after(() => rmSync(folder, { recursive: true }))
  const at = (name: string): string => join(folder, name)

  it('is replaced whole, readable by its owner alone, and nothing else is left', () => {
    writeFileSync(at('rc'), 'old', { mode: 0o644 })
    assert.ok(replaceUserFile(at('rc'), 'new').ok)
    assert.equal(readFileSync(at('rc'), 'utf8'), 'new')
    assert.equal(lstatSync(at('rc')).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(folder), ['rc'])
  })
  it('keeps bytes that are not UTF-8', () => {
    assert.ok(replaceUserFile(at('rc'), 'KEY gr\udcfcn').ok)
    assert.equal(readFileSync(at('rc'), 'latin1'), 'KEY gr\xfcn')
  })
  it('stays where a link leads to it', () => {
    mkdirSync(at('dotfiles'))
    writeFileSync(at('dotfiles/rc'), 'old')
    symlinkSync(at('dotfiles/rc'), at('link'))
    assert.ok(replaceUserFile(at('link'), 'new').ok)
    assert.ok(lstatSync(at('link')).isSymbolicLink())
    assert.equal(readFileSync(at('dotfiles/rc'), 'utf8'), 'new')
  })
  it('is not made where there is one', () => {
    assert.ok(createUserFile(at('made'), 'first').ok)
    const again = createUserFile(at('made'), 'second')
    assert.equal(again.ok || again.failure.code, 'CONFIG_UNWRITABLE')
    assert.equal(readFileSync(at('made'), 'utf8'), 'first')
    assert.equal(lstatSync(at('made')).nlink, 1)
  })
  for (const [what, path] of [
    ['a folder', folder],
    ['a device', '/dev/null'],
    ['a file in no folder', join(folder, 'none', 'rc')],
    ['a file where none can be made', '/proc/rc'],
  ] as const)
    it(`is never ${what}`, () => {
      const before = readdirSync(folder).length
      const written = replaceUserFile(path, 'new')
      assert.equal(written.ok || written.failure.code, 'CONFIG_UNWRITABLE')
      assert.equal(readdirSync(folder).length, before)
    })
})
