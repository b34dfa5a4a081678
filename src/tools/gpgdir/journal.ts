/**
 * What is whole, in the top folder: a line for each result, written before the result gets its name. Where a run was
 * killed between that and the removal of the source, the next run knows by it that the result is its own, and finishes.
 */
import { closeSync, constants, fdatasync, fstatSync, unlinkSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { mapped, type RecordOf, record, text } from '../../json-reader.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { readBounded } from '../../system/read-bounded.ts'
import type { Folder } from './folder.ts'
import { isPlainName, JOURNAL_NAME } from './names.ts'
import { openOwnFile } from './own-file.ts'

const MOST = 256 * 1024 * 1024
const dataSync = promisify(fdatasync)

const digits = mapped(text({ max: MOST }), (read) => (/^-?\d{1,20}$/.test(read) ? read : undefined))
const name = mapped(text({ max: MOST }), (read) => (isPlainName(read) ? read : undefined))
const folder = mapped(text({ max: MOST }), (read) =>
  read === '' || read.split('/').every(isPlainName) ? read : undefined,
)
const identity = { inode: digits, size: digits, modified: digits }
const readIdentity = record(identity, {})
const line = { folder, source: name, target: name, before: readIdentity, after: readIdentity }
const readLine = record(line, {})

/**
 * Inode, size, and the time of the last change in nanoseconds since 1970. A file in a folder has the same identity as
 * long as nobody changes it. The device is no part of it: its number may change at a boot.
 */
export type Identity = RecordOf<typeof identity, Record<never, never>>
export type JournalLine = RecordOf<typeof line, Record<never, never>>

export class Journal implements Disposable {
  readonly #descriptor: number
  readonly #top: Folder

  private constructor(top: Folder, descriptor: number) {
    this.#top = top
    this.#descriptor = descriptor
  }

  static open(top: Folder): Result<Journal, Failure<'GPGDIR_REFUSED'>> {
    const opened = openOurs(top, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND)
    if (!opened.ok) return opened
    return opened.value === undefined
      ? refuse('GPGDIR_REFUSED', `${JOURNAL_NAME} cannot be made`)
      : ok(new Journal(top, opened.value))
  }

  /** It is on the disk when this resolves. @throws the system's error. */
  async add(entry: JournalLine): Promise<void> {
    // The line feed in front ends a line that a full disk cut off.
    const bytes = Buffer.from(`\n${JSON.stringify(entry)}\n`)
    if (writeSync(this.#descriptor, bytes) !== bytes.length) throw new Error('the journal took a part of a line only')
    await dataSync(this.#descriptor)
  }

  /** All that it tells of is done. */
  remove(): void {
    unlinkSync(this.#top.path(JOURNAL_NAME))
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

/** The lines that an earlier run left. Lines that were cut off are left out. @throws the system's error. */
export function readJournal(top: Folder): Result<readonly JournalLine[], Failure<'GPGDIR_REFUSED'>> {
  const opened = openOurs(top, constants.O_RDONLY)
  if (!opened.ok) return opened
  if (opened.value === undefined) return ok([])
  try {
    const text = readBounded(opened.value, MOST)?.toString('utf8')
    if (text === undefined)
      return refuse('GPGDIR_REFUSED', `${JOURNAL_NAME} is too long`, { suggestion: 'move it away' })
    return ok(parseJournal(text))
  } finally {
    closeSync(opened.value)
  }
}

/** Its lines lead to files that are removed: those of another user are not believed. */
function openOurs(top: Folder, flags: number): Result<number | undefined, Failure<'GPGDIR_REFUSED'>> {
  const opened = openOwnFile(top, JOURNAL_NAME, flags)
  if (!opened.ok || opened.value === undefined) return opened
  const { uid } = fstatSync(opened.value)
  if (uid === process.geteuid?.()) return opened
  closeSync(opened.value)
  return refuse('GPGDIR_REFUSED', `${JOURNAL_NAME} belongs to the user ${uid}, whose run was not finished`, {
    suggestion: 'run gpgdir as that user, or move the file away',
  })
}

export function parseJournal(lines: string): readonly JournalLine[] {
  return lines.split('\n').flatMap((written) => {
    const read = parseLine(written)
    return read === undefined ? [] : [read]
  })
}

function parseLine(written: string): JournalLine | undefined {
  let value: unknown
  try {
    value = JSON.parse(written)
  } catch {
    return undefined
  }
  return readLine(value)
}
