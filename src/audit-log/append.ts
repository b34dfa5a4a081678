/**
 * The one writer of the audit log: for commands, for the server, and for the console through the server. Each line is
 * on disk before what it says is done. Beside the log, `audit.log.head` has number and hash of the last line, so that a
 * log that was cut is noticed. A lock keeps writers apart; the kernel ends it with its process.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { jsonLine } from '../bytes/text.ts'
import { integer, mapped, record, text } from '../json-reader.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { fileReason } from '../system/errno.ts'
import { tryLock } from '../system/file-lock.ts'
import { prepareServerFile, readServerFile, replaceServerFile, syncFolder } from '../system/server-file.ts'
import { systemPath } from '../system/system-path.ts'
import { milliseconds } from '../units.ts'
import { type AuditEvent, type AuditHead, formatEntry, hashOf, NO_LINE, parseEntry } from './entry.ts'

export type AuditFailure = Failure<'AUDIT_FAILED'>

/** A log that is larger gets another name, and a new one begins. */
export const ROTATE_AT = 8 << 20
/** A line has at most some 400 changes of 400 characters, each of up to 12 bytes of JSON. */
export const LONGEST_LINE = 4 << 20
const USUAL_END = 64 << 10
const LOCK_TIME = milliseconds(5000)
const LOCK_PAUSE = milliseconds(10)
const EMPTY: AuditHead = { seq: 0, hash: NO_LINE }

const readHeadFile = record(
  {
    seq: integer({ min: 0, max: 2 ** 48 }),
    hash: mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined)),
  },
  {},
)

export function headPath(log: string): string {
  return `${log}.head`
}

/**
 * Records one event.
 * @param log the path of the log. Its folder is made if it is missing.
 * @returns number and hash of the line; AUDIT_FAILED if it is not on disk. Then the log is as before.
 */
export async function appendAudit(
  log: string,
  event: AuditEvent,
  now = new Date(),
): Promise<Result<AuditHead, AuditFailure>> {
  try {
    const exposed = prepareServerFile(log) ?? prepareServerFile(headPath(log)) ?? prepareServerFile(`${log}.lock`)
    if (exposed !== undefined) return refuse('AUDIT_FAILED', exposed.detail)
    const lock = openSync(systemPath(`${log}.lock`), OPENED, 0o600)
    try {
      const held = await waitFor(lock)
      return held ?? appendLocked(log, event, now)
    } finally {
      closeSync(lock)
    }
  } catch (error) {
    return refuse('AUDIT_FAILED', `${log}: ${fileReason(error)}`)
  }
}

const OPENED = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW

async function waitFor(lock: number): Promise<Refused<AuditFailure> | undefined> {
  for (const until = performance.now() + LOCK_TIME; ; ) {
    const taken = tryLock(lock)
    if (taken === 'taken') return undefined
    if (taken !== 'held') return refuse('AUDIT_FAILED', `the log cannot be locked: ${taken.why}`)
    if (performance.now() > until)
      return refuse('AUDIT_FAILED', `another process has held the audit log for ${LOCK_TIME / 1000} s`)
    await delay(LOCK_PAUSE)
  }
}

/** In one piece: no other writer, also of this process, comes between. */
function appendLocked(log: string, event: AuditEvent, now: Date): Result<AuditHead, AuditFailure> {
  const known = readHead(log)
  if (!known.ok) return known
  const rotated = rotateIfLarge(log)
  const file = openSync(systemPath(log), OPENED | constants.O_APPEND, 0o600)
  try {
    const found = fstatSync(file)
    if (!found.isFile()) return refuse('AUDIT_FAILED', `${log} is not a regular file`)
    const end = settleEnd(file, found, known.value)
    const note = [event.note, end.note].filter((part) => part !== undefined).join('; ')
    const line = formatEntry(end.head, now, note === '' ? event : { ...event, note })
    const bytes = Buffer.from(`${line}\n`)
    const head = { seq: end.head.seq + 1, hash: hashOf(line) }
    try {
      if (writeSync(file, bytes) !== bytes.length) throw new Error('there is no room on the disk')
      fsyncSync(file)
      replaceServerFile(headPath(log), `${jsonLine(head)}\n`, 0o600)
      if (rotated || found.size === 0) syncFolder(dirname(resolve(log)))
    } catch (error) {
      ftruncateSync(file, end.size)
      throw error
    }
    return ok(head)
  } finally {
    closeSync(file)
  }
}

/** @returns the head that is beside the log; undefined where none is. */
export function readHead(log: string): Result<AuditHead | undefined, AuditFailure> {
  const found = readServerFile(headPath(log), 256)
  if (!found.ok) return refuse('AUDIT_FAILED', found.failure.detail)
  if (found.value === undefined) return ok(undefined)
  try {
    // A damaged head counts as none: the lines still have their chain.
    return ok(readHeadFile(JSON.parse(found.value)))
  } catch {
    return ok(undefined)
  }
}

/**
 * After which line to go on. What does not fit is never made to fit: the chain stays broken at that place, and the note
 * says what was found.
 */
function settleEnd(
  file: number,
  { size }: Stats,
  known: AuditHead | undefined,
): { readonly head: AuditHead; readonly size: number; readonly note?: string } {
  const { bytes, start } = endOf(file, size)
  const whole = bytes.lastIndexOf(0x0a) + 1
  const torn = bytes.length - whole
  let note: string | undefined
  if (torn > 0) {
    // A write that a crash cut: it was never confirmed to anybody.
    ftruncateSync(file, start + whole)
    note = `an incomplete line of ${torn} bytes was removed`
  }
  const last = lastLine(bytes.subarray(0, whole))
  const its = { size: start + whole, ...(note !== undefined && { note }) }
  if (last === undefined)
    return { head: known ?? EMPTY, ...its, ...(known !== undefined && { note: 'a new file begins here' }) }
  const entry = parseEntry(last)
  if (entry === undefined) return { head: known ?? EMPTY, ...its, note: 'the last line before this one is damaged' }
  const found = { seq: entry.seq, hash: hashOf(last) }
  if (known === undefined) return { head: found, ...its, note: note ?? 'the file of the last number was missing' }
  // The crash came between the line and its number.
  const isNext = entry.seq === known.seq + 1 && entry.prev === known.hash
  if (isNext || (found.seq === known.seq && found.hash === known.hash)) return { head: found, ...its }
  return { head: known, ...its, note: `the log ended with line ${found.seq}, which is not the last one written` }
}

/** With the whole last line, which is nearly always short. */
function endOf(file: number, size: number): { readonly bytes: Buffer; readonly start: number } {
  const usual = bytesFrom(file, Math.max(0, size - USUAL_END), size)
  const lines = usual.bytes.indexOf(0x0a) < usual.bytes.lastIndexOf(0x0a)
  return lines || usual.start === 0 ? usual : bytesFrom(file, Math.max(0, size - LONGEST_LINE), size)
}

function bytesFrom(file: number, start: number, end: number): { readonly bytes: Buffer; readonly start: number } {
  const bytes = Buffer.alloc(end - start)
  readSync(file, bytes, 0, bytes.length, start)
  return { bytes, start }
}

function lastLine(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return undefined
  const from = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1
  return bytes.subarray(from, -1).toString()
}

/** To `audit.log.` and the number of its first line. */
function rotateIfLarge(log: string): boolean {
  let file: number
  try {
    file = openSync(systemPath(log), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    const { size } = fstatSync(file)
    if (size < ROTATE_AT) return false
    const start = Buffer.alloc(Math.min(size, LONGEST_LINE))
    readSync(file, start, 0, start.length, 0)
    const first = parseEntry(start.subarray(0, Math.max(0, start.indexOf(0x0a))).toString())
    renameSync(systemPath(log), systemPath(`${log}.${first?.seq ?? `damaged-${Date.now()}`}`))
    return true
  } finally {
    closeSync(file)
  }
}
