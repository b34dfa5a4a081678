/** Files of the user who knocks, on a real file system. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { must, refused } from '../../test/support/results.ts'
import { readSecretFile, readUserFile } from './user-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'ghostport-files-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string, text: string, mode: number): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
describe('a file of the user’s', () => {
  const root = process.geteuid?.() === 0
  it('that holds a secret is its owner’s alone', () => {
    assert.equal(must(readSecretFile(file('private', 'x', 0o600))), 'x')
    assert.equal(must(readSecretFile(file('read-only', 'x', 0o400))), 'x')
    for (const mode of [0o640, 0o604, 0o644]) {
      const path = file(`mode-${mode.toString(8)}`, 'x', mode)
      const failure = refused(readSecretFile(path), 'CONFIG_EXPOSED', /holds a key and can be read by others/)
      assert.equal(failure.suggestion, `chmod 600 ${path}`)
    }
  })
  it('that holds none may be read by others', () => {
    assert.deepEqual(must(readUserFile(file('public', 'x', 0o644))), { text: 'x', readableByOthers: true })
  })
  it('may not be written by others', () => {
    for (const mode of [0o620, 0o602, 0o666])
      refused(readUserFile(file(`mode-${mode.toString(8)}`, 'x', mode)), 'CONFIG_EXPOSED', /changed by others/)
  })
  it('that is missing is told from one that cannot be read', () => {
    assert.equal(must(readUserFile(join(directory, 'nowhere'))), undefined)
    refused(readSecretFile(join(directory, 'nowhere')), 'CONFIG_UNREADABLE', /no such file/)
    refused(readUserFile(directory), 'CONFIG_UNREADABLE', /not a regular file/)
    refused(readUserFile('/dev/null'), 'CONFIG_UNREADABLE', /not a regular file/)
  })
  it('may be a link to one, and is judged by what it leads to', () => {
    const link = join(directory, 'link')
    symlinkSync(file('target', 'x', 0o644), link)
    refused(readSecretFile(link), 'CONFIG_EXPOSED', /read by others/)
  })
  it('that is a named pipe is not waited for', () => {
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    refused(readUserFile(pipe), 'CONFIG_UNREADABLE', /not a regular file/)
  })
  it('belongs to the user, or to root', { skip: root ? false : 'only root can give files away' }, () => {
    const path = file('foreign', 'x', 0o600)
    chownSync(path, 65534, 65534)
    refused(readUserFile(path), 'CONFIG_EXPOSED', /belongs to user 65534, who could change it/)
  })
})
