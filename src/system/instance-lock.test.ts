import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { acquireInstanceLock } from './instance-lock.ts'

const root = mkdtempSync(join(tmpdir(), 'ghostport-lock-'))
after(() => rmSync(root, { recursive: true }))

function acquired(path: string) {
  const lock = acquireInstanceLock(path)
  if (!lock.ok) assert.fail(lock.failure.detail)
  return lock.value
}
function refusal(path: string) {
  const lock = acquireInstanceLock(path)
  if (lock.ok) assert.fail('it was given')
  return lock.failure
}

/** @param check gets the first output of the process. */
async function whileItRuns(child: ChildProcessWithoutNullStreams, check: (said: string) => void): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  try {
    check(await new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data)))))
  } finally {
    // Even after a failed assertion: a child that lives on would prevent this file from ending.
    child.kill('SIGKILL')
  }
  await gone
}

test('another process is kept out for as long as the holder lives, and is told who holds it', async () => {
  const path = join(root, 'a', 'lock')
  const program = `
    import { acquireInstanceLock } from '${fileURLToPath(new URL('./instance-lock.ts', import.meta.url))}'
    process.stdout.write(acquireInstanceLock(process.argv[1]).ok ? 'held' : 'refused')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--conditions=ghostport-source', '--input-type=module', '-e', program, path])
  await whileItRuns(child, (said) => {
    assert.equal(said, 'held')
    const { code, detail } = refusal(path)
    assert.equal(code, 'INSTANCE_RUNNING', detail)
    assert.match(detail, new RegExp(`^pid ${child.pid}: `))
  })

  const lock = acquired(path)
  lock.release()
})

test('within one process, too; and being refused does not loosen the lock', () => {
  const path = join(root, 'b')
  const lock = acquired(path)
  assert.equal(refusal(path).code, 'INSTANCE_RUNNING')
  assert.match(refusal(path).detail, new RegExp(`^pid ${process.pid}: `))
  lock.release()
  lock.release()
  assert.ok(!existsSync(`${path}.pid`))
  acquired(path).release()
})

test('a version that locked by SQLite keeps a new one out, and is kept out', async () => {
  const path = join(root, 'old')
  const program = `
    import { DatabaseSync } from 'node:sqlite'
    const db = new DatabaseSync(process.argv[1])
    let said = 'held'
    try { db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE') } catch (error) { said = error.errcode }
    process.stdout.write(String(said))
    if (said === 'held') setInterval(() => {}, 1000)`
  const old = () => spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, path])
  writeFileSync(path, '', { mode: 0o600 })
  await whileItRuns(old(), (said) => {
    assert.equal(said, 'held')
    assert.equal(refusal(path).code, 'INSTANCE_RUNNING')
  })
  const lock = acquired(path)
  const SQLITE_BUSY = 5
  await whileItRuns(old(), (said) => assert.equal(said, String(SQLITE_BUSY)))
  lock.release()
})

test('the file is for its owner alone', () => {
  const path = join(root, 'c')
  const lock = acquired(path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(`${path}.pid`).mode & 0o777, 0o600)
  lock.release()
})

test('a stranger could not have put it there', () => {
  const open = join(root, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  assert.equal(refusal(join(open, 'lock')).code, 'CONFIG_EXPOSED')
  symlinkSync('/etc/passwd', join(root, 'link'))
  assert.equal(refusal(join(root, 'link')).code, 'CONFIG_EXPOSED')
  symlinkSync('/etc/passwd', join(root, 'd.pid'))
  assert.equal(refusal(join(root, 'd')).code, 'CONFIG_EXPOSED')
})

test('a file that is something else is left alone', () => {
  const path = join(root, 'precious')
  writeFileSync(path, 'a page of somebody’s diary, much longer than the header of a database file would be, by far')
  chmodSync(path, 0o600)
  assert.equal(refusal(path).code, 'CONFIG_UNREADABLE')
  assert.equal(refusal('/proc/nowhere/lock').code, 'CONFIG_UNREADABLE')
})
