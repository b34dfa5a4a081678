/**
 * The log of the replay database (SQLite's WAL). A commit that makes a file longer also waits for the file system's
 * journal. So the log gets its full length at once, as zeros. SQLite reads a log up to the first invalid frame, as
 * after a crash (SQLite file format § 4.1), and overwrites the rest.
 */
import { closeSync, fdatasync, fstatSync, openSync, writeSync } from 'node:fs'

/** With as many pages SQLite moves them to the database, and starts at the beginning of the log again. */
export const LOG_PAGES = 250
/** The same in bytes, with the largest commit of a burst beyond it. */
const LENGTH = (LOG_PAGES + 20) * (4096 + 24)

/** @param path of the database, which only we have open, with nothing under way. */
export function lengthenLog(path: string): void {
  try {
    const log = openSync(`${path}-wal`, 'r+')
    const { size } = fstatSync(log)
    // In one go: SQLite must not write meanwhile. To the disk at leisure: a commit sees to its own frames.
    if (size < LENGTH) writeSync(log, Buffer.alloc(LENGTH - size), 0, LENGTH - size, size)
    fdatasync(log, () => closeSync(log))
  } catch {
    // A short log is as good.
  }
}
