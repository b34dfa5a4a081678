import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { libc } from './libc.ts'
import { holderOf, takePidFile } from './pid-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'pid-file-'))
after(() => rmSync(folder, { recursive: true }))

const F_OFD_SETLK = 37

/** What any user can do with a file that he may read. */
function lockForReading(path: string): Disposable {
  const descriptor = openSync(path, 'r')
  assert.equal(libc().fcntlLock(descriptor, F_OFD_SETLK, new Uint8Array(32)), 0)
  return { [Symbol.dispose]: () => closeSync(descriptor) }
}

test('a file says who holds it, and nothing once that one has ended', () => {
  const path = join(folder, 'fwknopd.pid')
  const taken = takePidFile(path)
  assert(taken.ok && 'release' in taken.value)
  assert.deepEqual(holderOf(path), { ok: true, value: { runs: true, pid: process.pid } })
  assert.deepEqual(takePidFile(path), { ok: true, value: { runs: true, pid: process.pid } })
  taken.value.release()
  assert.deepEqual(holderOf(path), { ok: true, value: { runs: false } })
})

test('a reader who locks an old file is no server, and keeps none from starting', () => {
  const path = join(folder, 'old.pid')
  writeFileSync(path, '1\n', { mode: 0o644 })
  using _ = lockForReading(path)
  assert.deepEqual(holderOf(path), { ok: true, value: { runs: false } })
  const taken = takePidFile(path)
  assert(taken.ok && 'release' in taken.value, JSON.stringify(taken))
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`)
  assert.deepEqual(holderOf(path), { ok: true, value: { runs: true, pid: process.pid } })
  taken.value.release()
})

test('a file that others could read is theirs no longer', () => {
  const path = join(folder, 'readable.pid')
  writeFileSync(path, '1\n', { mode: 0o644 })
  const taken = takePidFile(path)
  assert(taken.ok && 'release' in taken.value)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  taken.value.release()
})
