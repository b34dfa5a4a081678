/** What an SQLite error means for the owner of the file. Numbers are SQLite's primary result codes. */
import { systemReason } from '../system/errno.ts'

const ERROR = 1
const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const FULL = 13
const NOT_A_DATABASE = 26

/**
 * @returns `busy`: another process (or connection) has it; `corrupt`: the file is damaged; `full`: its disk is;
 * `failed`: all else.
 */
export function sqliteFault(error: unknown): {
  readonly kind: 'busy' | 'corrupt' | 'full' | 'failed'
  readonly reason: string
} {
  const reason = systemReason(error)
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) {
    return { kind: 'failed', reason }
  }
  // The upper bits of an extended code tell variants of one failure apart.
  switch (error.errcode & 0xff) {
    case BUSY:
    case LOCKED:
      return { kind: 'busy', reason }
    case CORRUPT:
    case NOT_A_DATABASE:
      return { kind: 'corrupt', reason }
    case FULL:
      return { kind: 'full', reason }
    default:
      return { kind: 'failed', reason }
  }
}

/** Whether SQLite lacks the tables for a statement. If the statement is correct, this is not our database. */
export function lacksTables(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === ERROR
}
