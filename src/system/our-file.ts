/**
 * Files that this process makes, replaces, reads and removes as its own. Each is judged first, the way to it and the file: nobody else
 * may change it, and nobody else may have put it there (path-trail.ts).
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { textFromBytes } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Exposed, judgeTrail, octal, ourUsers, ownerName } from './path-trail.ts'
import { systemPath } from './system-path.ts'

const OTHERS_WRITE = 0o022

/**
 * What others than its owners can do to a file, by itself.
 * @param owners the users that may own it.
 */
export function judgeStat(path: string, { uid, mode }: Stats, owners: ReadonlySet<number>): Exposed | undefined {
  if (!owners.has(uid))
    return refuse('CONFIG_EXPOSED', `${path} belongs to user ${uid}, who could change it`, {
      suggestion: `chown ${ownerName(process.geteuid?.() ?? 0)} ${path}`,
    }).failure
  if ((mode & OTHERS_WRITE) !== 0)
    return refuse('CONFIG_EXPOSED', `${path} can be changed by others (mode ${octal(mode)})`, {
      suggestion: `chmod go-w ${path}`,
    }).failure
  return undefined
}

/**
 * Whether `path` is a place for a file of ours alone. A file that is not there is well, and so are folders that are not.
 * @returns CONFIG_EXPOSED where others could change it, or lead it elsewhere.
 * @throws what the file system throws.
 */
export function judgeOurFile(path: string): Exposed | undefined {
  const exposed = judgeTrail(path, { owners: ourUsers(), alone: true, cure: () => OUR_PLACE })
  if (exposed !== undefined) return exposed
  const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
  if (found === undefined) return undefined
  // Also a link of ours: a file that takes its place would not take the place of what it leads to.
  if (found.isSymbolicLink())
    return refuse('CONFIG_EXPOSED', `${path} is a symbolic link`, { suggestion: 'name the file that it leads to' })
      .failure
  return judgeStat(path, found, ourUsers())
}

const OUR_PLACE = 'name a path in a folder that nobody else can write to, such as /run/ghostport or /var/lib/ghostport'

/**
 * Makes the folders of `path` that are not there, mode 0700, and judges it as {@link judgeOurFile} does: before, so that nothing is made
 * in the wrong place, and afterwards.
 * @throws what the file system throws.
 */
export function prepareOurFile(path: string): Exposed | undefined {
  const exposed = judgeOurFile(path)
  if (exposed !== undefined) return exposed
  makeFolder(dirname(resolve(path)))
  return judgeOurFile(path)
}

/**
 * One level at a time: `mkdirSync` with `recursive` never returns where a parent exists and a child cannot be made for
 * want of a parent, as in /proc (seen with Node 24.21).
 */
function makeFolder(folder: string): void {
  if (existsSync(systemPath(folder))) return
  const parent = dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(systemPath(folder), { mode: 0o700 })
  } catch (error) {
    // Another process of ours may have been quicker.
    if (!existsSync(systemPath(folder))) throw error
    return
  }
  syncFolder(parent)
}

/** Makes the names in a folder as durable as the files are. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(systemPath(folder), 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Opens a file to read: never waits for the writer of a named pipe, never takes a terminal. */
export const TO_READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * A short file of ours.
 * @returns its text, at most `most` bytes of it; undefined where there is none. CONFIG_EXPOSED as {@link judgeOurFile}; CONFIG_UNREADABLE
 * for what is no regular file.
 * @throws what the file system throws.
 */
export function readOurFile(
  path: string,
  most: number,
): Result<string | undefined, Exposed | Failure<'CONFIG_UNREADABLE'>> {
  const exposed = judgeOurFile(path)
  if (exposed !== undefined) return { ok: false, failure: exposed }
  if (!existsSync(systemPath(path))) return ok(undefined)
  const descriptor = openSync(systemPath(path), TO_READ | constants.O_NOFOLLOW)
  try {
    if (!fstatSync(descriptor).isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    const bytes = Buffer.alloc(most)
    return ok(textFromBytes(bytes.subarray(0, readSync(descriptor, bytes, 0, most, 0))))
  } finally {
    closeSync(descriptor)
  }
}

/** Which file it is, whatever its name. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/**
 * Puts a file with `text` at `path` in one step: under another name first, and never through a link or into a file that is there.
 * The caller has judged the place.
 * @throws what the file system throws.
 */
export function replaceOurFile(path: string, text: string, mode: number): FileIdentity {
  const draft = systemPath(`${path}.new-${process.pid}`)
  // What a start with our number left, which died half way. A link goes, and not what it leads to.
  if (lstatSync(draft, { throwIfNoEntry: false }) !== undefined) unlinkSync(draft)
  const descriptor = openSync(
    draft,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  )
  try {
    writeFileSync(descriptor, text)
    fchmodSync(descriptor, mode)
    fsyncSync(descriptor)
    renameSync(draft, systemPath(path))
    const { dev, ino } = fstatSync(descriptor, { bigint: true })
    return { dev, ino }
  } catch (error) {
    unlinkSync(draft)
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** Removes the file that has this identity, and no other of its name. A file that cannot be removed stays. */
export function removeOurFile(path: string, { dev, ino }: FileIdentity): void {
  try {
    const found = lstatSync(systemPath(path), { bigint: true })
    if (found.dev === dev && found.ino === ino) unlinkSync(systemPath(path))
  } catch {
    // Gone, or out of reach.
  }
}
