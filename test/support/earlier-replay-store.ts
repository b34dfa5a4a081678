/** Replay databases as earlier versions of ghostport made them. */
import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Claim } from '../../src/replay/replay-store.ts'

const TABLES = `
  CREATE TABLE claimed (digest BLOB PRIMARY KEY, timestamp INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX claimed_by_time ON claimed (timestamp);
  CREATE TABLE imported (digest BLOB PRIMARY KEY, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX imported_by_time ON imported (seen);
  CREATE TABLE import_file (identity TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE forgotten (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), claimed INTEGER NOT NULL, imported INTEGER NOT NULL
  ) STRICT;
  PRAGMA application_id = 0x67687374;
`
const VERSION_3 = `
  CREATE TABLE used (
    timestamp INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (timestamp, digest)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE state ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
`

/** What it holds: `claimed`, and beside them in version 3 `used`. */
interface Held {
  readonly claimed: readonly Claim[]
  readonly used?: readonly Claim[]
}

/** @param more SQL that runs last. */
export function madeByEarlierVersion(version: 2 | 3, path: string, { claimed, used = [] }: Held, more = ''): void {
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA journal_mode = WAL; BEGIN; ${TABLES} PRAGMA user_version = ${version};`)
  if (version === 3) db.exec(VERSION_3)
  const insert = (table: string, claims: readonly Claim[]) => {
    const statement = db.prepare(`INSERT INTO ${table} (digest, timestamp) VALUES (?, ?)`)
    for (const { digest, timestamp } of claims) statement.run(Buffer.from(digest, 'base64'), timestamp)
  }
  insert('claimed', claimed)
  if (version === 3) insert('used', used)
  db.exec(`INSERT INTO state (one, claimed, imported) VALUES (1, ${claimed.length}, 0)`)
  if (version === 3) db.exec(`UPDATE state SET used = ${used.length}`)
  db.exec(`${more}; COMMIT`)
  db.close()
  chmodSync(path, 0o600)
}
