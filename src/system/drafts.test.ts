import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chownSync,
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
import { after, beforeEach, describe, it } from 'node:test'
import { createUserFile, replaceUserFile } from './replace-user-file.ts'
import { removeFileAndDrafts, replaceServerFile } from './server-file.ts'

/** Of a process that has ended. */
const ENDED = spawnSync('true').pid

describe('what a killed process left while it wrote a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-drafts-'))
  const path = join(folder, 'secret')
  const left = (name: string): void => writeFileSync(join(folder, name), 'half a secr', { mode: 0o600 })
  const names = (): readonly string[] => readdirSync(folder).toSorted()

  beforeEach(() => {
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
  })
  after(() => rmSync(folder, { recursive: true }))

  const writers: readonly [string, () => unknown][] = [
    ['the server', () => replaceServerFile(path, 'whole', 0o600)],
    ['a command that replaces it', () => replaceUserFile(path, 'whole')],
    ['a command that makes it', () => createUserFile(path, 'whole')],
  ]
  for (const [who, write] of writers)
    it(`goes with the next writer: ${who}`, () => {
      for (const pid of [ENDED, process.pid]) left(`secret.new-${pid}-0123456789ab`)
      write()
      assert.deepEqual(names(), ['secret'])
      assert.equal(readFileSync(path, 'utf8'), 'whole')
    })

  it('stays where another process is still writing, and where it only looks like it', () => {
    const others = [
      ...['secret.new-1-0123456789ab', `secret.new-${ENDED}-0123456789abc`, `other.new-${ENDED}-0123456789ab`],
      // What people call their copies.
      ...['secret.new-', 'secret.new-2026', 'secret.new-20261127', 'secret.new-4194305-0123456789ab'],
    ]
    for (const name of others) left(name)
    for (const [, write] of writers.slice(0, 2)) write()
    assert.deepEqual(names(), ['secret', ...others].toSorted())
  })

  it('is removed as a link, and not its target', () => {
    left('target')
    symlinkSync(join(folder, 'target'), join(folder, `secret.new-${ENDED}-0123456789ab`))
    replaceServerFile(path, 'whole', 0o600)
    assert.deepEqual(names(), ['secret', 'target'])
  })

  it('goes also if it was to become somebody else’s', { skip: process.getuid?.() !== 0 }, () => {
    left(`secret.new-${ENDED}-0123456789ab`)
    chownSync(join(folder, `secret.new-${ENDED}-0123456789ab`), 65_534, 65_534)
    replaceServerFile(path, 'whole', 0o600)
    assert.deepEqual(names(), ['secret'])
  })

  it('goes with the file, whoever wrote it', () => {
    for (const name of ['secret', 'secret.new-1', `secret.new-${ENDED}-0123456789ab`, 'secret.old']) left(name)
    removeFileAndDrafts(path)
    assert.deepEqual(names(), ['secret.old'])
  })
})
