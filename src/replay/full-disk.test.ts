import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/**
 * Runs in a mount namespace of its own, where DIRECTORY is a file system of 512 KiB that nobody else sees and that goes
 * away with the process.
 */
const PROGRAM = `
  import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
  import { openSqliteReplayStore } from '${fileURLToPath(new URL('./sqlite.ts', import.meta.url))}'
  import { claimOf } from '${fileURLToPath(new URL('../../test/contract/replay-store.ts', import.meta.url))}'
  const directory = process.argv[1], now = ${1_800_000_000}
  const open = () => openSqliteReplayStore({ path: directory + '/replay.db', maxAge: 86400 }).value
  const tell = (result) => result.ok ? result.value.join() : result.failure.code + ': ' + result.failure.detail
  const told = {}
  let store = open()
  told.before = tell(await store.claim([claimOf('a')], now))
  const filler = openSync(directory + '/filler', 'w')
  try { for (let i = 0; i < 1024; i++) writeSync(filler, Buffer.alloc(1024)) } catch (error) { told.filled = error.code }
  closeSync(filler)
  told.full = tell(await store.claim([claimOf('b'), claimOf('c')], now))
  told.fullAgain = tell(await store.claim([claimOf('d')], now))
  told.replayWhileFull = tell(await store.claim([claimOf('a')], now))
  told.sizeWhileFull = store.size()
  unlinkSync(directory + '/filler')
  told.after = tell(await store.claim([claimOf('a'), claimOf('b'), claimOf('c'), claimOf('d')], now))
  await store.close()
  store = open()
  told.reopened = tell(await store.claim([claimOf('d'), claimOf('e')], now))
  told.size = store.size()
  await store.close()
  process.stdout.write(JSON.stringify(told))
`

const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
const mayMount = spawnSync('unshare', [...unshare, 'true']).status === 0

test('a full disk fails the claim, records nothing, and is over once there is room', {
  skip: !mayMount && 'no mount namespace to be had',
}, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ghostport-full-'))
  const mountAndRun = 'mount -t tmpfs -o size=512k,mode=0700 none "$0" && exec "$@"'
  const node = [process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e', PROGRAM, directory]
  const run = spawnSync('unshare', [...unshare, 'sh', '-c', mountAndRun, directory, ...node], { encoding: 'utf8' })
  rmdirSync(directory)
  assert.equal(run.status, 0, run.stderr)
  const { full, fullAgain, ...told } = JSON.parse(run.stdout) as Record<string, unknown>
  assert.match(String(full), /^REPLAY_STORE_FAILED: .*replay\.db: database or disk is full/)
  assert.match(String(fullAgain), /^REPLAY_STORE_FAILED/)
  assert.deepEqual(told, {
    before: 'first',
    filled: 'ENOSPC',
    replayWhileFull: 'replayed',
    sizeWhileFull: 1,
    after: 'replayed,first,first,first',
    reopened: 'replayed,first',
    size: 5,
  })
})
