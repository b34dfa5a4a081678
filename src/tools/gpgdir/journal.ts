/**
 * What is whole, in the top folder: a line for each result, written before the result gets its name. Where a run was
 * killed between that and the removal of the source, the next run knows by it that the result is its own, and finishes.
 */
import { closeSync, constants, fdatasync, openSync, unlinkSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { mapped, type RecordOf, record, text } from '../../json-reader.ts'
import { errorCode } from '../../system/errno.ts'
import { readBounded } from '../../system/read-bounded.ts'
import type { Folder } from './folder.ts'
import { isPlainName, JOURNAL_NAME } from './names.ts'

const MOST = 256 * 1024 * 1024
const FLAGS = constants.O_NOFOLLOW | constants.O_NOCTTY
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

  /** @throws the system's error. */
  constructor(top: Folder) {
    this.#top = top
    this.#descriptor = openSync(
      top.path(JOURNAL_NAME),
      constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | FLAGS,
      0o600,
    )
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
export function readJournal(top: Folder): readonly JournalLine[] {
  let descriptor: number
  try {
    descriptor = openSync(top.path(JOURNAL_NAME), constants.O_RDONLY | constants.O_NONBLOCK | FLAGS)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
  try {
    return parseJournal(readBounded(descriptor, MOST)?.toString('utf8') ?? '')
  } finally {
    closeSync(descriptor)
  }
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
