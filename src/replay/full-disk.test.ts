import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const HEADER = `
  import { closeSync, openSync, statfsSync, unlinkSync, writeSync } from 'node:fs'
  import { openSqliteReplayStore } from '${fileURLToPath(new URL('./sqlite.ts', import.meta.url))}'
  import { madeByEarlierVersion } from '${fileURLToPath(new URL('../../test/support/earlier-replay-store.ts', import.meta.url))}'
  import { claimOf } from '${fileURLToPath(new URL('../../test/contract/replay-store.ts', import.meta.url))}'
  const directory = process.argv[1], now = ${1_800_000_000}, maxAge = 120
  const open = (share) => openSqliteReplayStore({ path: directory + '/replay.db', maxAge, share }).value
  const short = (answer) => typeof answer === 'string' ? answer : answer.code + ': ' + answer.detail
  const tell = (result) => result.ok ? result.value.map(short).join() : short(result.failure)
  const free = () => { const { bfree, bsize } = statfsSync(directory); return bfree * bsize }
  const fill = () => {
    const filler = openSync(directory + '/filler', 'w')
    try { for (;;) writeSync(filler, Buffer.alloc(1024)) } catch (error) { return error.code } finally { closeSync(filler) }
  }
  const told = {}
`

const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
const mayMount = spawnSync('unshare', [...unshare, 'true']).status === 0

/**
 * Runs in a mount namespace of its own, where `directory` is a file system of `size` that nobody else sees and that
 * goes away with the process. @returns what it told.
 */
function runOnDisk(size: string, program: string): Record<string, unknown> {
  const directory = mkdtempSync(join(tmpdir(), 'ghostport-full-'))
  const source = `${HEADER}${program}\nprocess.stdout.write(JSON.stringify(told))`
  const mountAndRun = `mount -t tmpfs -o size=${size},mode=0700 none "$0" && exec "$@"`
  const node = [process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e', source, directory]
  const run = spawnSync('unshare', [...unshare, 'sh', '-c', mountAndRun, directory, ...node], { encoding: 'utf8' })
  rmdirSync(directory)
  assert.equal(run.status, 0, run.stderr)
  return JSON.parse(run.stdout) as Record<string, unknown>
}

describe('replay store on a full disk', { skip: !mayMount && 'no mount namespace to be had' }, () => {
  for (const size of ['192k', '512k', '4m'])
    test(`a disk of ${size} that others fill fails the claim, records nothing, and is over once there is room`, () => {
      const { full, fullAgain, ...told } = runOnDisk(
        size,
        `
      let store = open()
      told.before = tell(await store.claim([claimOf('a', now)], now))
      told.filled = fill()
      told.full = tell(await store.claim([claimOf('b', now), claimOf('c', now)], now))
      told.fullAgain = tell(await store.claim([claimOf('d', now)], now))
      told.replayWhileFull = tell(await store.claim([claimOf('a', now)], now))
      told.sizeWhileFull = await store.size()
      await store.close()
      store = open()
      told.restarted = tell(await store.claim([claimOf('a', now)], now))
      unlinkSync(directory + '/filler')
      told.after = tell(await store.claim([...'abcd'].map((name) => claimOf(name, now)), now))
      await store.close()
      store = open()
      told.reopened = tell(await store.claim([claimOf('d', now), claimOf('e', now)], now))
      told.size = await store.size()
      await store.close()`,
      )
      const noRoom =
        /^REPLAY_STORE_FAILED: .*replay\.db: the disk is full: \d+ KiB are left, and the replay store needs \d+ KiB/
      assert.match(String(full), noRoom)
      assert.match(String(fullAgain), noRoom)
      assert.deepEqual(told, {
        before: 'first',
        filled: 'ENOSPC',
        replayWhileFull: 'replayed',
        sizeWhileFull: 1,
        restarted: 'replayed',
        after: 'replayed,first,first,first',
        reopened: 'replayed,first',
        size: 5,
      })
    })

  // The share would be 1 GB: what stands between the key holder and the owner is the room that is kept for others.
  for (const size of ['1m', '3m'])
    test(`a key holder who fills a disk of ${size} keeps nobody else out, also over a restart, and gets in again by himself`, () => {
      const { least, ...told } = runOnDisk(
        size,
        `
      const share = 20_000_000
      let store = open(share), made = 0, firsts = 0, least = Infinity
      const flood = async (rounds) => {
        for (let round = 0; round < rounds; round++) {
          const claims = Array.from({ length: 1000 }, () => claimOf('k1 ' + made++, now - 120 + made % 240, 'k1'))
          const result = await store.claim(claims, now)
          firsts += result.value.filter((answer) => answer === 'first').length
          least = Math.min(least, free())
        }
      }
      const owner = async (name, at = now) => tell(await store.claim([claimOf(name, at, 'k2')], at))
      const k1 = async (at) => tell(await store.claim([claimOf('k1 ' + made++, at, 'k1')], at))
      await flood(60)
      told.many = firsts > 3_000
      told.k1 = (await k1(now)).replace(/ .*/, '')
      told.owner = await owner('a')
      await flood(5)
      told.ownerStill = await owner('b')
      told.ownersReplay = await owner('b')
      await store.close()
      store = open(share)
      await flood(5)
      told.ownerAfterRestart = await owner('c')
      told.ownersReplays = [await owner('a'), await owner('b'), await owner('c')].join()
      const later = now + 241
      for (let i = 0; i < 200; i++) told.ownerLater = await owner('later ' + i, later)
      told.k1Later = await k1(later)
      told.size = await store.size()
      told.least = least
      await store.close()`,
      )
      assert.ok(Number(least) > 128 * 1024, `${least} bytes were left`)
      assert.deepEqual(told, {
        many: true,
        k1: 'REPLAY_STORE_FAILED:',
        owner: 'first',
        ownerStill: 'first',
        ownersReplay: 'replayed',
        ownerAfterRestart: 'first',
        ownersReplays: 'replayed,replayed,replayed',
        ownerLater: 'first',
        k1Later: 'first',
        size: 201,
      })
    })

  test('entries that filled the disk to the last byte of others go, once they are old and those others leave', () => {
    const told = runOnDisk(
      '4m',
      `
      const store = open(20_000_000)
      const claims = Array.from({ length: 20_000 }, (_, i) => claimOf('x' + i, now + i % 100))
      for (let i = 0; i < 20_000; i += 1000) await store.claim(claims.slice(i, i + 1000), now)
      told.filled = fill()
      const later = now + 400
      told.full = tell(await store.claim([claimOf('a', later)], later)).replace(/:.*/, '')
      unlinkSync(directory + '/filler')
      for (let i = 0; i < 40; i++) told.after = tell(await store.claim([claimOf('b' + i, later)], later))
      told.size = await store.size()
      told.replayed = tell(await store.claim(claims.slice(0, 2).map(() => claimOf('never seen', now + 7)), now + 7))
      await store.close()`,
    )
    assert.deepEqual(told, {
      filled: 'ENOSPC',
      full: 'REPLAY_STORE_FAILED',
      after: 'first',
      size: 40,
      replayed: 'replayed,replayed',
    })
  })

  test('a database of version 0.1 for which there is no room is left as it is, and is taken over once there is', () => {
    const { full, ...told } = runOnDisk(
      '8m',
      `
      const path = directory + '/replay.db'
      const claimed = Array.from({ length: 20_000 }, (_, i) => claimOf('old ' + i, now + i % 100))
      madeByEarlierVersion(2, path, { claimed })
      told.filled = fill()
      const { code, detail } = openSqliteReplayStore({ path, maxAge }).failure
      told.full = code + ': ' + detail
      told.fullAgain = openSqliteReplayStore({ path, maxAge }).failure.code
      unlinkSync(directory + '/filler')
      const store = open()
      told.size = await store.size()
      const answers = (await store.claim([claimOf('new', now), ...claimed], now)).value
      told.firsts = answers.filter((answer) => answer === 'first').length
      told.replayed = answers.filter((answer) => answer === 'replayed').length
      await store.close()`,
    )
    assert.match(
      String(full),
      /^REPLAY_STORE_FAILED: .*replay\.db: the disk is full\. This database .* once: free \d+ KiB, and start again$/,
    )
    assert.deepEqual(told, {
      filled: 'ENOSPC',
      fullAgain: 'REPLAY_STORE_FAILED',
      size: 20_000,
      firsts: 1,
      replayed: 20_000,
    })
  })
})
