/** Each statement that the replay store runs, prepared; and what it keeps in memory of the database. */
import type { DatabaseSync } from 'node:sqlite'
import { ForgottenTimes } from './forgotten-times.ts'

export type Statements = ReturnType<typeof prepare>

/** Sizes of the tables, and the forgotten times. */
export interface State {
  used: number
  /** Entries of version 0.1. */
  claimed: number
  imported: number
  forgotten: ForgottenTimes
}

export function prepare(db: DatabaseSync) {
  return {
    record: db.prepare('INSERT OR IGNORE INTO used VALUES (?, ?)'),
    find: db.prepare('SELECT 1 FROM used WHERE timestamp = ? AND digest = ?'),
    outdated: db.prepare('SELECT timestamp, digest FROM used WHERE timestamp < ? ORDER BY timestamp LIMIT ?'),
    forget: db.prepare('DELETE FROM used WHERE timestamp = ? AND digest = ?'),
    findClaimed: db.prepare('SELECT 1 FROM claimed WHERE digest = ?'),
    outdatedClaims: db.prepare('SELECT digest, timestamp FROM claimed WHERE timestamp < ? ORDER BY timestamp LIMIT ?'),
    forgetClaim: db.prepare('DELETE FROM claimed WHERE digest = ?'),
    sparePages: db.prepare('PRAGMA freelist_count'),
    importDigest: db.prepare('INSERT OR IGNORE INTO imported VALUES (?, ?)'),
    findImported: db.prepare('SELECT 1 FROM imported WHERE digest = ?'),
    outdatedImports: db.prepare('SELECT digest, seen FROM imported WHERE seen < ? ORDER BY seen LIMIT ?'),
    forgetImport: db.prepare('DELETE FROM imported WHERE digest = ?'),
    rememberImport: db.prepare('INSERT OR REPLACE INTO import_file VALUES (?, ?)'),
    findImport: db.prepare('SELECT 1 FROM import_file WHERE identity = ?'),
    state: db.prepare('SELECT used, claimed, imported FROM state'),
    saveState: db.prepare('UPDATE state SET used = ?, claimed = ?, imported = ?'),
    forgotten: db.prepare('SELECT first, last FROM forgotten'),
    saveForgotten: db.prepare('INSERT INTO forgotten VALUES (?, ?)'),
    dropForgotten: db.prepare('DELETE FROM forgotten WHERE first = ?'),
  }
}

/** What the database says that it holds. */
export function readState({ state, forgotten }: Statements): State {
  const row = state.get()
  const ranges = forgotten.all().map(({ first, last }) => ({ first: Number(first), last: Number(last) }))
  return {
    used: Number(row?.['used']),
    claimed: Number(row?.['claimed']),
    imported: Number(row?.['imported']),
    forgotten: ForgottenTimes.of(ranges),
  }
}
