import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readBounded } from './read-bounded.ts'
import { readUserFile } from './user-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-read-'))
test.after(() => rmSync(folder, { recursive: true }))

function read(path: string, most: number): Buffer | undefined {
  const fd = openSync(path, 'r')
  try {
    return readBounded(fd, most)
  } finally {
    closeSync(fd)
  }
}

test('reads all up to the limit, and no more than one byte beyond it', () => {
  const path = join(folder, 'file')
  const text = 'x'.repeat(200_000)
  writeFileSync(path, text)
  assert.equal(read(path, 200_000)?.toString(), text)
  assert.equal(read(path, 199_999), undefined)
  assert.equal(read('/dev/null', 0)?.length, 0)
  assert.equal(read('/dev/zero', 1_000_000), undefined)
})

test('a file of the client that is none by its size is refused', () => {
  const path = join(folder, 'huge')
  writeFileSync(path, '', { mode: 0o600 })
  truncateSync(path, 2 ** 40)
  const read = readUserFile(path)
  assert.ok(!read.ok)
  assert.match(read.failure.detail, /is larger than \d+ bytes/)
})
