/**
 * What is whole, in the top folder: a line for each result, written before the result gets its name. Where a run was
 * killed between that and the removal of the source, the next run knows by it that the result is its own, and finishes.
 */
import { closeSync, constants, fdatasync, openSync, unlinkSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { readBounded } from '../../system/read-bounded.ts'
import type { Folder } from './folder.ts'
import { JOURNAL_NAME } from './names.ts'

/**
 * A file in a folder has the same identity as long as nobody changes it. The device is no part of it: its number may
 * change at a boot.
 */
export interface Identity {
  readonly inode: string
  readonly size: string
  /** Nanoseconds since 1970. */
  readonly modified: string
}

export interface JournalLine {
  readonly folder: string
  readonly source: string
  readonly target: string
  readonly before: Identity
  readonly after: Identity
}

const MOST = 256 * 1024 * 1024
const FLAGS = constants.O_NOFOLLOW | constants.O_NOCTTY
const dataSync = promisify(fdatasync)

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
  async add(line: JournalLine): Promise<void> {
    // The line feed in front ends a line that a full disk cut off.
    const bytes = Buffer.from(`\n${JSON.stringify(line)}\n`)
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
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  try {
    return parseJournal(readBounded(descriptor, MOST)?.toString('utf8') ?? '')
  } finally {
    closeSync(descriptor)
  }
}

export function parseJournal(text: string): readonly JournalLine[] {
  return text.split('\n').flatMap((line) => {
    const read = parseLine(line)
    return read === undefined ? [] : [read]
  })
}

function parseLine(line: string): JournalLine | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  return isLine(value) ? value : undefined
}

function isLine(value: unknown): value is JournalLine {
  if (!isRecord(value)) return false
  const { folder, source, target, before, after } = value
  return isFolder(folder) && isName(source) && isName(target) && isIdentity(before) && isIdentity(after)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value !== '.' && value !== '..' && !/[/\0]/.test(value)
}

function isFolder(value: unknown): value is string {
  return value === '' || (typeof value === 'string' && value.split('/').every(isName))
}

function isIdentity(value: unknown): value is Identity {
  return isRecord(value) && ['inode', 'size', 'modified'].every((name) => /^-?\d{1,20}$/.test(String(value[name])))
}
