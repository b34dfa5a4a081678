import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { answers, at, claimOf, T0 } from '../../test/contract/replay-store.ts'
import type { FwknopDigest } from '../packet/replay-digest.ts'
import { type Seconds, seconds } from '../units.ts'
import { importDigestCache, parseDigestCacheLine } from './import-fwknop.ts'
import { openSqliteReplayStore, type SqliteReplayStore } from './sqlite.ts'

/** Written by fwknopd 2.6.10 (Debian 2.6.10-16), which was sent the two packets below by its own client. */
const DIGEST_CACHE = `\
# <digest> <proto> <src_ip> <src_port> <dst_ip> <dst_port> <time>
s34QJD8gdfeX/0MWPZro27E2ab1JOoPif5FWJMGpggQ 17 127.0.0.1 59873 0.0.0.0 62201 1795449848
JhS8Z117L2/Lxux8JbTuEsIt+q4ni1thptuFG7im+f8 17 127.0.0.1 35133 0.0.0.0 62201 1795449849
`
const PACKETS = [
  '9nsRL+sfxEZVQfLcCt4K2FhGatJ/64wETfqkxSnY39j62Ei+J73np2X8paYcFkO4jVwuP4sSptc2f/mcbp9/amdb82U3BGhjfdDF2XIcgRnvi4zs5l996ubHLua0/ZCj8LjWM0BENlHn5GikSy9lU0VSQvQX5FsdkgaMQoU+0PLI/WXFeizDFttHTI58khmylc8tGLMe2xSw',
  '/2YW7SzCKnu/MMk+BPQkrUn4gEbo5vY7tBkspbX40rkF02gWeTbVMxa13WrSfNIk+KGPc+ta48fqgvFluwGwDKS66TVzj6iApAq/frnzVVSgIKaIdHVa+W6vm44dgwO483WkNRKCgKKDjATxCCbLjjQlEyPTp8qssE8GdD3L9wDzncPpzfY4TOHTxZ0Cmk/MZUTkhJ8Nkrc4',
]
const SEEN = 1_795_449_849

const root = mkdtempSync(join(tmpdir(), 'ghostport-import-'))
after(() => rmSync(root, { recursive: true }))
let files = 0
function fileOf(text: string): string {
  const path = join(root, `digest.cache.${files++}`)
  writeFileSync(path, text)
  return path
}
function opened(
  maxAge: Seconds | 'unlimited' = seconds(120),
  path: string = join(root, `replay.${files++}.db`),
): SqliteReplayStore {
  const store = openSqliteReplayStore({ path, maxAge })
  if (!store.ok) assert.fail(store.failure.detail)
  return store.value
}
function imported(store: SqliteReplayStore, path: string, now: number) {
  const result = importDigestCache(store, path, at(now))
  if (!result.ok) assert.fail(result.failure.detail)
  return result.value
}
function packetClaim(text: string, timestamp = SEEN) {
  const digest = createHash('sha256').update(text).digest('base64').replace('=', '') as FwknopDigest
  return { ...claimOf(text, timestamp), fwknopDigest: digest }
}

test('packets that fwknopd has seen are replays to us', async () => {
  const store = opened()
  const { problems, ...counts } = imported(store, fileOf(DIGEST_CACHE), SEEN)
  assert.deepEqual(counts, { imported: 2, outdated: 0, known: 0, malformed: 0, unchanged: false })
  assert.deepEqual(problems, [])
  const claims = [...PACKETS.map((text) => packetClaim(text)), packetClaim('another packet')]
  assert.deepEqual(await answers(store, claims, SEEN), ['replayed', 'replayed', 'first'])
  assert.deepEqual([await store.size(), store.importedSize()], [1, 2])
  await store.close()
})

test('a file is imported once, and again when fwknopd has added to it', async () => {
  const store = opened()
  const path = fileOf(DIGEST_CACHE)
  imported(store, path, SEEN)
  assert.equal(imported(store, path, SEEN).unchanged, true)
  appendFileSync(path, `${'A'.repeat(42)}E 17 192.0.2.1 1 0.0.0.0 62201 ${SEEN}\n`)
  const again = imported(store, path, SEEN)
  assert.deepEqual([again.imported, again.known, again.unchanged], [1, 2, false])
  assert.equal(store.importedSize(), 3)
  await store.close()
})

test('what the age check refuses anyway is left out, also after the clock is set back', async () => {
  const store = opened()
  const later = SEEN + 2 * 86_400
  assert.deepEqual(imported(store, fileOf(DIGEST_CACHE), later).outdated, 2)
  assert.equal(store.importedSize(), 0)
  assert.deepEqual(await answers(store, [packetClaim(PACKETS[0] ?? '')], SEEN), ['replayed'])
  assert.deepEqual(await answers(store, [packetClaim('new', later)], later), ['first'])
  await store.close()
})

test('imported packets are forgotten in time, and stay used if the clock is set back', async () => {
  const store = opened()
  imported(store, fileOf(DIGEST_CACHE), SEEN)
  await answers(store, [packetClaim('new', SEEN + 2 * 86_400)], SEEN + 2 * 86_400)
  assert.equal(store.importedSize(), 0)
  const claims = PACKETS.map((text) => packetClaim(text, SEEN + 100))
  assert.deepEqual(await answers(store, claims, SEEN), ['replayed', 'replayed'])
  await store.close()
})

test('without aging every line is kept', async () => {
  const store = opened('unlimited')
  assert.equal(imported(store, fileOf(DIGEST_CACHE), SEEN * 2).imported, 2)
  assert.deepEqual(await answers(store, [packetClaim(PACKETS[1] ?? '')], SEEN * 2), ['replayed'])
  await store.close()
})

const DIGEST = 's34QJD8gdfeX/0MWPZro27E2ab1JOoPif5FWJMGpggQ'
const MALFORMED: readonly [string, RegExp][] = [
  [`${DIGEST} 17 127.0.0.1 59873 0.0.0.0 62201`, /6 fields instead of 7/],
  [`${DIGEST} 17 127.0.0.1 59873 0.0.0.0 62201 1795449848 more`, /8 fields/],
  [`${DIGEST}A 17 127.0.0.1 59873 0.0.0.0 62201 1795449848`, /not a SHA-256/],
  [`${DIGEST.slice(1)} 17 127.0.0.1 59873 0.0.0.0 62201 1795449848`, /not a SHA-256/],
  [`!${DIGEST.slice(1)} 17 127.0.0.1 59873 0.0.0.0 62201 1795449848`, /not a SHA-256/],
  [`${DIGEST} 17 127.0.0.1 59873 0.0.0.0 62201 yesterday`, /not a time/],
  [`${DIGEST} 17 127.0.0.1 59873 0.0.0.0 62201 -1`, /not a time/],
  ['127.0.0.1 1795449848 [rcvd: Mon Nov 23]', /fields/],
]
for (const [line, reason] of MALFORMED) {
  test(`“${line}” is malformed`, () => {
    const result = parseDigestCacheLine(line)
    assert.ok(!result.ok)
    assert.equal(result.failure.code, 'CONFIG_SYNTAX')
    assert.match(result.failure.detail, reason)
  })
}

test('malformed lines are told with their place and do not stop the others', async () => {
  const store = opened()
  const lines = DIGEST_CACHE.split('\n')
  lines.splice(2, 0, 'rubbish', '', 'x'.repeat(300_000))
  const path = fileOf(lines.join('\n').trimEnd())
  const result = imported(store, path, SEEN)
  assert.deepEqual([result.imported, result.malformed], [2, 2])
  assert.deepEqual(
    result.problems.map(({ at }) => at),
    [
      { file: path, line: 3 },
      { file: path, line: 5 },
    ],
  )
  await store.close()
})

test('a file that cannot be read is told, a directory too', async () => {
  const store = opened()
  for (const path of [join(root, 'nowhere'), root]) {
    const result = importDigestCache(store, path, at(SEEN))
    assert.equal(!result.ok && result.failure.code, 'CONFIG_UNREADABLE')
  }
  await store.close()
})

test('thousands of lines are imported, and forgotten a few at a time', async () => {
  const path = join(root, `replay.${files++}.db`)
  const store = opened(seconds(120), path)
  const lines = Array.from({ length: 5000 }, (_, i) => {
    const digest = createHash('sha256').update(String(i)).digest('base64').replace('=', '')
    return `${digest} 17 127.0.0.1 1 0.0.0.0 62201 ${T0}`
  })
  assert.equal(imported(store, fileOf(lines.join('\n')), T0).imported, 5000)
  await answers(store, [claimOf('a', T0 + 200_000)], T0 + 200_000)
  assert.equal(store.importedSize(), 0)
  await store.close()
  const db = new DatabaseSync(path)
  assert.equal(db.prepare('SELECT count(*) AS entries FROM imported').get()?.['entries'], 4936)
  db.close()
})
