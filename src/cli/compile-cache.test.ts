import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ownDirectory } from './compile-cache.ts'

const scratch = mkdtempSync(join(tmpdir(), 'ghostport-compile-cache-'))
after(() => rmSync(scratch, { recursive: true }))
const me = process.getuid?.() ?? 0

test('the directory is made for its user alone, and taken again', () => {
  const path = join(scratch, 'made')
  assert.equal(ownDirectory(path, me), path)
  assert.equal(statSync(path).mode & 0o777, 0o700)
  assert.equal(ownDirectory(path, me), path)
})

test('what somebody else could write to is left alone', () => {
  const shared = join(scratch, 'shared')
  mkdirSync(shared)
  for (const mode of [0o777, 0o1777, 0o770]) {
    chmodSync(shared, mode)
    assert.equal(ownDirectory(shared, me), undefined, mode.toString(8))
  }
  const foreign = join(scratch, 'foreign')
  mkdirSync(foreign, { mode: 0o700 })
  assert.equal(ownDirectory(foreign, me + 1), undefined)
  const link = join(scratch, 'link')
  symlinkSync(foreign, link)
  assert.equal(ownDirectory(link, me), undefined)
  const file = join(scratch, 'file')
  writeFileSync(file, '')
  assert.equal(ownDirectory(file, me), undefined)
})

test('what lies in a folder of somebody else’s is left alone', {
  skip: me !== 0 && 'only root can give a folder away',
}, () => {
  const foreign = join(scratch, 'theirs')
  mkdirSync(join(foreign, 'cache'), { recursive: true, mode: 0o700 })
  chownSync(foreign, 12_345, 12_345)
  assert.equal(ownDirectory(join(foreign, 'cache'), me), undefined)
  assert.equal(ownDirectory(join(foreign, 'new'), me), undefined)
  const link = join(scratch, 'way')
  symlinkSync(scratch, link)
  lchownSync(link, 12_345, 12_345)
  assert.equal(ownDirectory(join(link, 'made'), me), undefined)
})

test('where it cannot be made there is none', () => {
  assert.equal(ownDirectory(join(scratch, 'no', 'parent'), me), undefined)
})
