/** The tables of the replay database, and the making of an empty one. */
import { closeSync, linkSync, openSync, unlinkSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorCode } from '../system/errno.ts'
import { syncFolder } from '../system/server-file.ts'

/** `ghst`: tells our databases from others' (SQLite file format § 1.3.11). */
export const APPLICATION_ID = 0x67687374
const SCHEMA_VERSION = 4

/**
 * `used` is sorted by the time of the packet. New entries go to the page of the last ones: a commit writes one page.
 * The oldest entries are beside each other: forgetting touches few pages and frees whole ones.
 */
const USED = `
  CREATE TABLE IF NOT EXISTS used (
    timestamp INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (timestamp, digest)
  ) STRICT, WITHOUT ROWID;
`
/**
 * `imported` holds what fwknopd remembered, under its own digests, by the time of the sighting.
 * `forgotten` are the ranges of forgotten-times.ts.
 */
const SCHEMA = `
  ${USED}
  CREATE TABLE imported (digest BLOB PRIMARY KEY, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX imported_by_time ON imported (seen);
  CREATE TABLE import_file (identity TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE forgotten (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** Version 2 (of ghostport 0.1) kept its entries in `claimed`; version 3 in both tables. `state` had their sizes. */
const FROM_EARLIER = `
  BEGIN IMMEDIATE;
  ${USED}
  INSERT OR IGNORE INTO used SELECT timestamp, digest FROM claimed ORDER BY timestamp, digest;
  DROP TABLE claimed;
  DROP TABLE state;
  PRAGMA user_version = ${SCHEMA_VERSION};
  COMMIT;
`

/** @returns what is wrong with it, where {@link adoptDatabase} cannot take a database of this version. */
export function unknownVersion(version: unknown): string | undefined {
  if (version === 2 || version === 3 || version === SCHEMA_VERSION) return undefined
  return `has version ${version}; this ghostport knows version ${SCHEMA_VERSION}`
}

/**
 * The first read of a database: takes the lock, plays back the log after a crash, and finds most kinds of damage.
 * A database of an earlier version is changed in one transaction. If that is interrupted, nothing has changed, and the
 * next start does it. A million entries take about two seconds, and as much room on the disk as before.
 * @returns what is wrong with it, where it is not ours.
 * @throws what SQLite throws; then nothing has changed.
 */
export function adoptDatabase(db: DatabaseSync): string | undefined {
  const application = db.prepare('PRAGMA application_id').get()?.['application_id']
  if (application !== APPLICATION_ID) return 'is a database of another program'
  const version = db.prepare('PRAGMA user_version').get()?.['user_version']
  const unknown = unknownVersion(version)
  if (unknown === undefined && version !== SCHEMA_VERSION) db.exec(FROM_EARLIER)
  return unknown
}

/**
 * Makes an empty database at `path`, which must be free. It is built under another name and linked into place whole: so
 * an empty file at `path` is never half-made by us, but the wreck of a full one. Two daemons may do this at once; one
 * link wins, and both then find a database.
 * @throws what the file system or SQLite throws.
 */
export function createDatabase(path: string): void {
  const draft = `${path}.new-${process.pid}`
  const remove = (): void => {
    for (const suffix of ['', '-wal', '-shm', '-journal']) tryUnlink(draft + suffix)
  }
  remove()
  try {
    closeSync(openSync(draft, 'wx', 0o600))
    const db = new DatabaseSync(draft)
    try {
      db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL`)
      db.exec(`BEGIN; ${SCHEMA} COMMIT`)
    } finally {
      db.close()
    }
    try {
      linkSync(draft, path)
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    syncFolder(dirname(resolve(path)))
  } finally {
    remove()
  }
}

function tryUnlink(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was not there.
  }
}
