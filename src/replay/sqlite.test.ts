import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { answers, at, claimOf, T0 } from '../../test/contract/replay-store.ts'
import { madeByEarlierVersion } from '../../test/support/earlier-replay-store.ts'
import { type Seconds, seconds } from '../units.ts'
import { judgeReplayStore } from './judge-store.ts'
import { APPLICATION_ID } from './schema.ts'
import { openSqliteReplayStore, type SqliteReplayStore } from './sqlite.ts'

const root = mkdtempSync(join(tmpdir(), 'ghostport-sqlite-'))
after(() => rmSync(root, { recursive: true }))
let places = 0
/** A path in a private directory of its own. */
function place(): string {
  const directory = join(root, String(places++))
  mkdirSync(directory, { mode: 0o700 })
  return join(directory, 'replay.db')
}

const DAY = seconds(86_400)
function opened(path: string, maxAge: Seconds | 'unlimited' = DAY): SqliteReplayStore {
  const store = openSqliteReplayStore({ path, maxAge })
  if (!store.ok) assert.fail(`${store.failure.code}: ${store.failure.detail}`)
  return store.value
}
function refusal(path: string): { code: string; detail: string } {
  const store = openSqliteReplayStore({ path, maxAge: DAY })
  if (store.ok) assert.fail('it opened')
  return store.failure
}

/** Another process that opens `path`, claims `a` to `j`, says `claimed`, and then waits to be killed. */
async function holder(path: string): Promise<{ kill(): Promise<void> }> {
  const program = `
    import { openSqliteReplayStore } from '${fileURLToPath(new URL('./sqlite.ts', import.meta.url))}'
    import { claimOf } from '${fileURLToPath(new URL('../../test/contract/replay-store.ts', import.meta.url))}'
    const store = openSqliteReplayStore({ path: process.argv[1], maxAge: 86400 }).value
    const claims = [...'abcdefghij'].map((name) => claimOf(name))
    const result = await store.claim(claims, ${T0})
    process.stdout.write(result.ok ? 'claimed' : result.failure.code)
    setInterval(() => {}, 1000)
  `
  const child = spawn(process.execPath, ['--conditions=ghostport-source', '--input-type=module', '-e', program, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)))
    child.once('exit', () => reject(new Error('the holder ended early')))
  })
  assert.equal(said, 'claimed')
  return {
    kill: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit').once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

test('a claim survives kill -9 right after it was answered', async () => {
  const path = place()
  await (await holder(path)).kill()
  const store = opened(path)
  assert.equal(await store.size(), 10)
  assert.deepEqual(await answers(store, [claimOf('a'), claimOf('j'), claimOf('k')], T0), [
    'replayed',
    'replayed',
    'first',
  ])
  await store.close()
})

test('one process at a time: locked while it lives, free once it is killed', async () => {
  const path = place()
  const other = await holder(path)
  const { code, detail } = refusal(path)
  await other.kill()
  assert.equal(code, 'REPLAY_STORE_LOCKED')
  assert.match(detail, /replay\.db is in use by another process/)
  await opened(path).close()
})

test('a second store in the same process is refused, and does not loosen the lock of the first', async () => {
  const path = place()
  const store = opened(path)
  assert.equal(refusal(path).code, 'REPLAY_STORE_LOCKED')
  assert.equal(refusal(path).code, 'REPLAY_STORE_LOCKED')
  assert.deepEqual(await answers(store, [claimOf('a')], T0), ['first'])
  await store.close()
})

test('closing and opening keeps entries, count and what was forgotten', async () => {
  const path = place()
  const first = opened(path, seconds(120))
  await answers(first, [claimOf('old', T0)], T0)
  await answers(first, [claimOf('new', T0 + 900)], T0 + 900)
  await first.close()
  const second = opened(path, DAY)
  assert.equal(await second.size(), 1)
  const claims = [claimOf('new', T0 + 900), claimOf('old', T0), claimOf('never seen', T0 - 1)]
  assert.deepEqual(await answers(second, claims, T0 + 900), ['replayed', 'replayed', 'first'])
  await second.close()
})

/** How many entries are in the file, of any age. */
function entriesIn(path: string): unknown {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    return db.prepare('SELECT count(*) AS entries FROM used').get()?.['entries']
  } finally {
    db.close()
  }
}
/** A closed database of a window of 10 s whose entries are all old. */
async function outdated(count: number): Promise<string> {
  const path = place()
  const store = opened(path, seconds(10))
  const old = Array.from({ length: count }, (_, i) => claimOf(`old ${i}`, T0 + (i % 10)))
  await answers(store, old, T0)
  await store.close()
  assert.equal(entriesIn(path), count)
  return path
}

test('old entries go a while after a claim, a piece at a time, and stay used', async () => {
  const path = await outdated(2000)
  let store = opened(path, seconds(10))
  await answers(store, [claimOf('a', T0 + 100)], T0 + 100)
  assert.equal(await store.size(), 1)
  await store.close()
  assert.equal(entriesIn(path), 1501)

  store = opened(path, seconds(10))
  await answers(store, [claimOf('b', T0 + 100)], T0 + 100)
  await sleep(1500)
  assert.deepEqual(await answers(store, [claimOf('old 7', T0 + 7), claimOf('new', T0 + 7)], T0), [
    'replayed',
    'replayed',
  ])
  await store.close()
  assert.equal(entriesIn(path), 2)
})

test('more entries than are counted at once are counted', async () => {
  const store = opened(place())
  for (const [claims, size] of [
    [500, 500],
    [733, 1233],
  ] as const) {
    const claimed = Array.from({ length: claims }, (_, i) => claimOf(`${size} ${i}`, T0 + (i % 3)))
    await answers(store, claimed, T0)
    assert.equal(await store.size(), size)
  }
  await store.close()
})

test('of two copies claimed at once, under two clocks, the one that came first and in time is first', async () => {
  const store = opened(place(), seconds(60))
  const both = [answers(store, [claimOf('a', T0 + 70)], T0 + 10), answers(store, [claimOf('a', T0 + 70)], T0)]
  assert.deepEqual(await Promise.all(both), [['first'], ['misdated']])
  await store.close()
})

test('a claim writes one page to a log that has its length', async () => {
  const path = place()
  const store = opened(path)
  await answers(store, [claimOf('a')], T0)
  const log = () => readFileSync(`${path}-wal`)
  const [before, { length }] = [log(), log()]
  await answers(store, [claimOf('b')], T0)
  const now = log()
  assert.equal(now.length, length)
  let changed = 0
  for (let frame = 32; frame < length; frame += 4120)
    if (!now.subarray(frame, frame + 4120).equals(before.subarray(frame, frame + 4120))) changed++
  assert.equal(changed, 1)
  await store.close()
})

test('a claim after close is refused, and close may be called twice', async () => {
  const store = opened(place())
  await store.close()
  await store.close()
  const result = await store.claim([claimOf('a')], at(T0))
  assert.equal(!result.ok && result.failure.code, 'REPLAY_STORE_FAILED')
})

test('what is no digest is a mistake of the caller', async () => {
  const store = opened(place())
  const claim = { ...claimOf('a'), digest: 'c2hvcnQ' as never }
  await assert.rejects(store.claim([claim], at(T0)), TypeError)
  await store.close()
})

test('the file is for its owner alone, and so is a directory that had to be made', async () => {
  const path = join(root, 'made', 'for', 'it', 'replay.db')
  const store = opened(path)
  await answers(store, [claimOf('a')], T0)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600)
  assert.equal(statSync(join(root, 'made', 'for', 'it')).mode & 0o777, 0o700)
  assert.deepEqual(readdirSync(join(root, 'made', 'for', 'it')).sort(), ['replay.db', 'replay.db-wal'])
  await store.close()
})

test('a database moved away under us is no longer written to', async () => {
  const path = place()
  const store = opened(path)
  renameSync(path, `${path}.moved`)
  const result = await store.claim([claimOf('a')], at(T0))
  assert.equal(!result.ok && result.failure.code, 'REPLAY_STORE_FAILED')
  assert.match(result.ok ? '' : result.failure.detail, /moved or deleted/)
  renameSync(`${path}.moved`, path)
  assert.deepEqual(await answers(store, [claimOf('a')], T0), ['first'])
  await store.close()
})

const UNFIT: readonly [string, (path: string) => void, RegExp][] = [
  ['a symbolic link', (path) => symlinkSync('/dev/null', path), /is a symbolic link/],
  ['a dangling symbolic link', (path) => symlinkSync(`${path}.elsewhere`, path), /is a symbolic link/],
  ['a log that is a symbolic link', (path) => symlinkSync('/dev/null', `${path}-wal`), /-wal is a symbolic link/],
  [
    'a directory that everyone may write to',
    (path) => chmodSync(join(path, '..'), 0o777),
    /others can replace what is in the folder/,
  ],
  ['one that is sticky besides', (path) => chmodSync(join(path, '..'), 0o1777), /others can make files in the folder/],
  ['a directory in its place', (path) => mkdirSync(path), /is not a regular file/],
  [
    'a file that others may write to',
    (path) => {
      writeFileSync(path, '')
      chmodSync(path, 0o620)
    },
    /can be changed by others/,
  ],
]
for (const [what, spoil, reason] of UNFIT) {
  test(`refuses ${what}`, () => {
    const path = place()
    spoil(path)
    const { code, detail } = refusal(path)
    assert.equal(code, 'REPLAY_STORE_FAILED')
    assert.match(detail, reason)
  })
}

/** A closed database of `count` entries. */
async function filled(count: number): Promise<string> {
  const path = place()
  const store = opened(path)
  await answers(
    store,
    Array.from({ length: count }, (_, i) => claimOf(`p${i}`)),
    T0,
  )
  await store.close()
  return path
}
function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, offset)
  closeSync(descriptor)
}

const DAMAGE: readonly [string, (path: string) => void][] = [
  ['an empty file', (path) => truncateSync(path, 0)],
  ['a file of noise', (path) => writeFileSync(path, Buffer.alloc(8192, 0xa5))],
  ['a header overwritten', (path) => overwrite(path, 0, Buffer.alloc(64, 0xff))],
  ['half a file', (path) => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096)],
  ['a lost database whose log is left', (path) => renameSync(path, `${path}-wal`)],
  ['the schema overwritten', (path) => overwrite(path, 100, Buffer.alloc(3900, 0x11))],
]
for (const [what, spoil] of DAMAGE) {
  test(`${what} is refused, with how to go on and at what risk`, async () => {
    const path = await filled(500)
    spoil(path)
    const { code, detail } = refusal(path)
    assert.equal(code, 'REPLAY_STORE_CORRUPT')
    assert.match(
      detail,
      /move .*replay\.db and .*replay\.db-wal away and start again: packets used within the last 86400 s/,
    )
    for (const suffix of ['', '-wal']) rmSync(path + suffix, { force: true })
    await opened(path).close()
  })
}

test('a database of another program is refused', async () => {
  const path = await filled(1)
  overwrite(path, 68, Buffer.from([0, 0, 0, 7]))
  assert.match(refusal(path).detail, /database of another program/)
})

test('damage found later refuses that claim and all after it', async () => {
  const path = await filled(3000)
  // Every page past the first few: all leaves of the tree of digests are among them.
  overwrite(path, 12 * 4096, Buffer.alloc(statSync(path).size - 12 * 4096, 0x5a))
  const store = opened(path)
  const codes = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const result = await store.claim([claimOf(`p${i}`)], at(T0))
    codes.add(result.ok ? String(result.value[0]) : result.failure.code)
  }
  assert.ok(codes.has('REPLAY_STORE_CORRUPT'))
  assert.ok(!codes.has('first'), 'a used packet was taken for new')
  const last = await store.claim([claimOf('unheard of')], at(T0))
  assert.equal(!last.ok && last.failure.code, 'REPLAY_STORE_CORRUPT')
  await store.close()
})

test('a database of version 0.1 opens: what it has used and forgotten stays used, and goes when it is old', async () => {
  const path = place()
  const claimed = Array.from({ length: 200 }, (_, i) => claimOf(`old ${i}`, T0 + (i % 100)))
  const ahead = claimOf('ahead', T0 + 10_000)
  const forgotten = `INSERT INTO forgotten VALUES (${T0 - 500}, ${T0 - 400})`
  madeByEarlierVersion(2, path, { claimed: [...claimed, ahead] }, forgotten)
  assert.equal(judgeReplayStore({ path, maxAge: DAY }), undefined)
  let store = opened(path, seconds(120))
  assert.equal(await store.size(), 201)
  assert.ok((await answers(store, claimed, T0)).every((answer) => answer === 'replayed'))
  assert.deepEqual(await answers(store, [claimOf('new', T0)], T0), ['first'])
  assert.deepEqual(await answers(store, [claimOf('in its past', T0 - 450)], T0 - 450), ['replayed'])
  await store.close()

  store = opened(path, seconds(120))
  assert.equal(await store.size(), 202)
  for (let i = 0; i < 30; i++) await answers(store, [claimOf(`later ${i}`, T0 + 1000)], T0 + 1000)
  assert.equal(await store.size(), 31)
  assert.deepEqual(await answers(store, [claimOf('old 7', T0 + 7), claimOf('new', T0)], T0), ['replayed', 'replayed'])
  assert.deepEqual(await answers(store, [ahead], T0 + 10_000), ['replayed'])
  await store.close()
  assert.equal(entriesIn(path), 1)
})

test('a database of version 3 opens: both of its tables stay used', async () => {
  const path = place()
  const [claimed, used] = [
    [claimOf('a'), claimOf('b')],
    [claimOf('c'), claimOf('b')],
  ]
  madeByEarlierVersion(3, path, { claimed, used })
  const store = opened(path)
  assert.equal(await store.size(), 3)
  assert.deepEqual(await answers(store, [...claimed, ...used], T0), new Array(4).fill('replayed'))
  await store.close()
})

test('kill -9 at any moment of taking a database over loses nothing, and the next start finishes', async () => {
  const path = place()
  const claimed = Array.from({ length: 60_000 }, (_, i) => claimOf(`old ${i}`, T0 + (i % 100)))
  madeByEarlierVersion(2, path, { claimed })
  const program = `
    import { openSqliteReplayStore } from '${fileURLToPath(new URL('./sqlite.ts', import.meta.url))}'
    openSqliteReplayStore({ path: process.argv[1], maxAge: 86400 })`
  const node = ['--conditions=ghostport-source', '--input-type=module', '-e', program, path]
  // The log grows from the start of the transaction on, since it has more pages than SQLite keeps in memory.
  const logSize = () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const writtenAt = () => statSync(path).mtimeMs
  const wasKilled: boolean[] = []
  for (const progress of [logSize, logSize, logSize, writtenAt]) {
    const before = progress()
    const child = spawn(process.execPath, node, { stdio: ['ignore', 'ignore', 'inherit'] })
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal === 'SIGKILL')))
    while (progress() <= before && child.exitCode === null) await sleep(0)
    child.kill('SIGKILL')
    wasKilled.push((await ended) as boolean)
  }
  assert.ok(wasKilled[0] && wasKilled[1], `killed: ${wasKilled}`)
  const store = opened(path)
  assert.equal(await store.size(), 60_000)
  assert.ok((await answers(store, claimed, T0)).every((answer) => answer === 'replayed'))
  assert.deepEqual(await answers(store, [claimOf('new')], T0), ['first'])
  await store.close()
})

for (const version of [2, 3, 4])
  test(`a database of version ${version} without its tables is damaged`, () => {
    const path = place()
    const db = new DatabaseSync(path)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version}`)
    db.close()
    chmodSync(path, 0o600)
    const { code, detail } = refusal(path)
    assert.equal(code, 'REPLAY_STORE_CORRUPT', detail)
    assert.match(detail, /lacks tables of a replay store: .*no such table.* To go on, move /)
  })

test('a database of a version to come is refused', () => {
  const path = place()
  madeByEarlierVersion(3, path, { claimed: [] }, 'PRAGMA user_version = 5')
  const { code, detail } = refusal(path)
  assert.equal(code, 'REPLAY_STORE_CORRUPT')
  assert.match(detail, /has version 5; this ghostport knows version 4/)
  assert.equal(judgeReplayStore({ path, maxAge: DAY })?.code, 'REPLAY_STORE_CORRUPT')
})

test('a flood that is refused before the entries are asked is not written', async () => {
  const path = place()
  const store = opened(path)
  await answers(store, [claimOf('a')], T0)
  const before = statSync(`${path}-wal`).mtimeMs
  const size = statSync(`${path}-wal`).size
  for (let i = 0; i < 100; i++) await answers(store, [claimOf(`ahead ${i}`, T0 + 10 ** 9 + i)], T0)
  assert.deepEqual([statSync(`${path}-wal`).mtimeMs, statSync(`${path}-wal`).size], [before, size])
  await store.close()
})

test('after a crash between making the draft and naming it, the next start makes another', async () => {
  const path = place()
  writeFileSync(`${path}.new-1`, 'half a draft', { mode: 0o600 })
  const store = opened(path)
  await store.close()
  assert.ok(existsSync(path))
})
