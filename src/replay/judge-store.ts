/** What is wrong with a file that is to be the replay store, and what the operator can do about it. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { resolve as absolute } from 'node:path'
import { type Failure, type Refused, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import type { Seconds } from '../units.ts'
import type { ReplayFailure } from './replay-store.ts'
import { APPLICATION_ID, unknownVersion } from './schema.ts'
import { judgeStorePath } from './store-path.ts'

interface StorePlace {
  readonly path: string
  /** The age window: how long used packets could be replayed if the store were lost. */
  readonly maxAge: Seconds | 'unlimited'
}

const SQLITE_MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
/** Bytes of the header of a database (SQLite file format § 1.3), and where in it two numbers of ours are. */
const HEADER = 100
const USER_VERSION_AT = 60
const APPLICATION_ID_AT = 68

/**
 * What openSqliteReplayStore would say of a file, by its first bytes: without locking it and without making any.
 * For a process that holds no lock on the file itself: closing a descriptor would drop it.
 */
export function judgeReplayStore(options: StorePlace): Failure<ReplayFailure['code']> | undefined {
  const path = absolute(options.path)
  const problem = judgeStorePath(path) ?? judgeStorePath(`${path}-wal`)
  if (problem !== undefined) return refuse('REPLAY_STORE_FAILED', problem).failure
  const wrong = (what: string) => corrupt(options, `${path} ${what}`).failure
  if (!existsSync(path))
    return existsSync(`${path}-wal`) ? wrong(`is gone but its log ${path}-wal is there`) : undefined
  const header = Buffer.alloc(HEADER)
  let length = 0
  try {
    const descriptor = openSync(path, 'r')
    try {
      length = readSync(descriptor, header, 0, HEADER, 0)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    return refuse('REPLAY_STORE_FAILED', `${path}: ${systemReason(error)}`).failure
  }
  if (length === 0) return wrong('is empty')
  if (length < HEADER || !header.subarray(0, SQLITE_MAGIC.length).equals(SQLITE_MAGIC)) return wrong('is no database')
  if (header.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) return wrong('is a database of another program')
  const version = header.readUInt32BE(USER_VERSION_AT)
  // The change of version may still be in the log: the old one is as good.
  const unknown = unknownVersion(version)
  return unknown === undefined ? undefined : wrong(unknown)
}

/** The failure of a file that cannot be the store, and how to go on. @param what with the path. */
export function corrupt({ path, maxAge }: StorePlace, what: string): Refused<Failure<'REPLAY_STORE_CORRUPT'>> {
  const risk =
    maxAge === 'unlimited'
      ? 'with packet aging off, every packet ever used can then be replayed once; change the keys if you cannot rule that out'
      : `packets used within the last ${maxAge} s can then be replayed once, so wait that long first`
  return refuse('REPLAY_STORE_CORRUPT', `${what}. To go on, move ${path} and ${path}-wal away and start again: ${risk}`)
}
