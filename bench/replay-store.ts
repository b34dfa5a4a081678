/**
 * The cost of the replay store, empty and with a million entries: start-up, one durable claim, a replay, a group of
 * 100, and a claim every 5 ms while all old entries are forgotten.
 * `node --conditions=ghostport-source bench/replay-store.ts [ENTRIES]`. Single-machine medians; read the ratios.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyringName } from '../src/access/keyring.ts'
import type { FwknopDigest, ReplayDigest } from '../src/packet/replay-digest.ts'
import type { Claim } from '../src/replay/replay-store.ts'
import { openSqliteReplayStore, type SqliteReplayStore } from '../src/replay/sqlite.ts'
import { seconds, unixSeconds } from '../src/units.ts'

const ENTRIES = Number(process.argv[2] ?? 1_000_000)
const NOW = unixSeconds(1_800_000_000)
const KEYRING = 'one key' as KeyringName
const LATER = unixSeconds(NOW + 1000)
const ROUNDS = 300
const directory = mkdtempSync(join(tmpdir(), 'ghostport-bench-'))
let made = 0

function fresh(count: number, timestamp = NOW): Claim[] {
  return Array.from({ length: count }, () => {
    const text = createHash('sha256').update(`${made++}`).digest('base64').slice(0, 43)
    return { digest: text as ReplayDigest, fwknopDigest: text as FwknopDigest, timestamp, keyring: KEYRING }
  })
}
function open(path: string): SqliteReplayStore {
  const store = openSqliteReplayStore({ path, maxAge: seconds(120), share: Number.MAX_SAFE_INTEGER })
  if (!store.ok) throw new Error(store.failure.detail)
  return store.value
}
async function claim(store: SqliteReplayStore, claims: readonly Claim[], now = NOW): Promise<void> {
  const result = await store.claim(claims, now)
  if (!result.ok) throw new Error(result.failure.detail)
}
function at(place: number, values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * place)] ?? Number.NaN
}
async function timed(rounds: number, work: (round: number) => unknown): Promise<number> {
  return at(0.5, await times(rounds, 0, work))
}
/** @param pause before each, in milliseconds. It is over on time, or what delays it counts. */
async function times(rounds: number, pause: number, work: (round: number) => unknown): Promise<readonly number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint() + BigInt(pause * 1_000_000)
    if (pause > 0) await sleep(pause)
    await work(round)
    times.push(Number(process.hrtime.bigint() - start) / 1000)
  }
  return times
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
  await claim(store, fresh(1, LATER), LATER)
  await sleep(1000)
  const later = fresh(4 * ROUNDS, LATER)
  const meanwhile = await times(later.length, 5, (round) => claim(store, later.slice(round, round + 1), LATER))
  await store.close()
  return {
    ...{ 'open and close': startUp, 'one claim': one, 'one replay': replay, 'group of 100': group },
    ...{ 'while old go': at(0.5, meanwhile), '  1 in 100': at(0.99, meanwhile) },
  }
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
