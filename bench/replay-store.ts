/**
 * The cost of the replay store, empty and with a million entries: start-up, one durable claim, a replay, a group of
 * 100.
 * `node --conditions=ghostport-source bench/replay-store.ts [ENTRIES]`. Single-machine medians; read the ratios.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyringName } from '../src/access/keyring.ts'
import type { FwknopDigest, ReplayDigest } from '../src/packet/replay-digest.ts'
import type { Claim } from '../src/replay/replay-store.ts'
import { openSqliteReplayStore, type SqliteReplayStore } from '../src/replay/sqlite.ts'
import { seconds, unixSeconds } from '../src/units.ts'

const ENTRIES = Number(process.argv[2] ?? 1_000_000)
const NOW = unixSeconds(1_800_000_000)
const KEYRING = 'one key' as KeyringName
const ROUNDS = 300
const directory = mkdtempSync(join(tmpdir(), 'ghostport-bench-'))
let made = 0

function fresh(count: number): Claim[] {
  return Array.from({ length: count }, () => {
    const text = createHash('sha256').update(`${made++}`).digest('base64').slice(0, 43)
    return { digest: text as ReplayDigest, fwknopDigest: text as FwknopDigest, timestamp: NOW, keyring: KEYRING }
  })
}
function open(path: string): SqliteReplayStore {
  const store = openSqliteReplayStore({ path, maxAge: seconds(120), share: Number.MAX_SAFE_INTEGER })
  if (!store.ok) throw new Error(store.failure.detail)
  return store.value
}
async function claim(store: SqliteReplayStore, claims: readonly Claim[]): Promise<void> {
  const result = await store.claim(claims, NOW)
  if (!result.ok) throw new Error(result.failure.detail)
}
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
async function timed(rounds: number, work: (round: number) => unknown): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint()
    await work(round)
    times.push(Number(process.hrtime.bigint() - start) / 1000)
  }
  return median(times)
}

async function measure(entries: number): Promise<Record<string, number>> {
  const path = join(directory, `${entries}.db`)
  let store = open(path)
  for (let left = entries; left > 0; left -= 10_000) await claim(store, fresh(Math.min(left, 10_000)))
  await store.close()
  const startUp = await timed(9, async (round) => {
    store = open(path)
    if (round < 8) await store.close()
  })
  const claims = fresh(ROUNDS)
  const groups = Array.from({ length: 30 }, () => fresh(100))
  const one = await timed(ROUNDS, (round) => claim(store, claims.slice(round, round + 1)))
  const replay = await timed(ROUNDS, (round) => claim(store, claims.slice(round, round + 1)))
  const group = await timed(30, (round) => claim(store, groups[round] ?? []))
  await store.close()
  return { 'open and close': startUp, 'one claim': one, 'one replay': replay, 'group of 100': group }
}

try {
  const empty = await measure(0)
  const full = await measure(ENTRIES)
  process.stdout.write(`median µs         empty   ${ENTRIES} entries   ratio\n`)
  for (const [what, before] of Object.entries(empty)) {
    const after = full[what] ?? Number.NaN
    const cells = [
      before.toFixed(0).padStart(8),
      after.toFixed(0).padStart(14),
      (after / before).toFixed(2).padStart(10),
    ]
    process.stdout.write(`${what.padEnd(15)}${cells.join('')}\n`)
  }
} finally {
  rmSync(directory, { recursive: true })
}
