/** What root gives to the user of a server, and what not. */
import assert from 'node:assert/strict'
import { chmodSync, linkSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { StateFolder } from './state-folder.ts'

const NOBODY = { uid: 65_534, gid: 65_534 }

describe('a state folder that root gives to the user of a server', { skip: process.getuid?.() !== 0 }, () => {
  let base: string
  let folder: string
  const path = (name: string): string => join(folder, name)
  const ownerOf = (file: string): number => lstatSync(file).uid
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'ghostport-state-'))
    folder = join(base, 'state')
    mkdirSync(folder, { mode: 0o700 })
    writeFileSync(path('own.json'), '{}', { mode: 0o600 })
    writeFileSync(join(base, 'secret-of-root'), 'x', { mode: 0o600 })
  })
  afterEach(() => rmSync(base, { recursive: true }))

  it('has its files, and the target of a symbolic link stays root’s', () => {
    symlinkSync(join(base, 'secret-of-root'), path('link'))
    chmodSync(folder, 0o755)
    assert.ok(StateFolder.open(folder, NOBODY).ok)
    assert.deepEqual([ownerOf(folder), ownerOf(path('own.json'))], [NOBODY.uid, NOBODY.uid])
    assert.equal(lstatSync(folder).mode & 0o777, 0o700)
    assert.equal(ownerOf(join(base, 'secret-of-root')), 0)
  })

  it('gets nothing where one of its files has another name elsewhere', () => {
    linkSync(join(base, 'secret-of-root'), path('invitation-1.json'))
    const opened = StateFolder.open(folder, NOBODY)
    assert.ok(!opened.ok && opened.failure.code === 'CONFIG_EXPOSED', JSON.stringify(opened))
    assert.equal(opened.failure.suggestion, `rm ${path('invitation-1.json')}`)
    for (const file of [join(base, 'secret-of-root'), path('own.json'), folder]) assert.equal(ownerOf(file), 0, file)
  })
})
