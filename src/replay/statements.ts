/** Each statement that the replay store runs, prepared. */
import type { DatabaseSync } from 'node:sqlite'
import { ForgottenTimes } from './forgotten-times.ts'

export type Statements = ReturnType<typeof prepare>

export function prepare(db: DatabaseSync) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    record: db.prepare('INSERT OR IGNORE INTO used VALUES (?, ?)'),
    find: db.prepare('SELECT 1 FROM used WHERE timestamp = ? AND digest = ?'),
    forget: db.prepare(`
      DELETE FROM used WHERE (timestamp, digest) IN
        (SELECT timestamp, digest FROM used WHERE timestamp < ? ORDER BY timestamp LIMIT ?) RETURNING timestamp`),
    /** The number of some entries after a place, and the place of the last of them. */
    countAfter: db.prepare(`
      SELECT max(entry) AS entries, timestamp, digest FROM (SELECT row_number() OVER () AS entry, * FROM
        (SELECT * FROM used WHERE (timestamp, digest) > (?, ?) ORDER BY timestamp, digest LIMIT ?))`),
    sparePages: db.prepare('PRAGMA freelist_count'),
    importDigest: db.prepare('INSERT OR IGNORE INTO imported VALUES (?, ?)'),
    findImported: db.prepare('SELECT 1 FROM imported WHERE digest = ?'),
    countImports: db.prepare('SELECT count(*) AS entries FROM imported WHERE seen >= ?'),
    forgetImports: db.prepare(`
      DELETE FROM imported WHERE digest IN (SELECT digest FROM imported WHERE seen < ? ORDER BY seen LIMIT ?)
      RETURNING seen`),
    rememberImport: db.prepare('INSERT OR REPLACE INTO import_file VALUES (?, ?)'),
    findImport: db.prepare('SELECT 1 FROM import_file WHERE identity = ?'),
    forgotten: db.prepare('SELECT first, last FROM forgotten'),
    saveForgotten: db.prepare('INSERT INTO forgotten VALUES (?, ?)'),
    dropForgotten: db.prepare('DELETE FROM forgotten WHERE first = ?'),
  }
}

/** What the database says is forgotten. */
export function readForgotten({ forgotten }: Statements): ForgottenTimes {
  return ForgottenTimes.of(forgotten.all().map(({ first, last }) => ({ first: Number(first), last: Number(last) })))
}
