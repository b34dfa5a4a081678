/**
 * Files that the server makes, replaces, reads and removes. Before each use, file-trust.ts checks the file and the
 * folders on its way: no other user may be able to change or replace it.
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { textFromBytes } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { draftOf, draftsOf, removeDeadDrafts } from './drafts.ts'
import { type Exposed, judgeStat, judgeTrail, ourUsers } from './file-trust.ts'
import { systemPath } from './system-path.ts'

/**
 * Whether `path` is safe for a file of ours. A file or folder that does not exist is accepted.
 * @returns CONFIG_EXPOSED if others could change it, or lead it elsewhere.
 * @throws the file system's errors.
 */
export function judgeServerFile(path: string): Exposed | undefined {
  const exposed = judgeTrail(path, { owners: ourUsers(), alone: true, cure: () => CURE })
  if (exposed !== undefined) return exposed
  const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
  if (found === undefined) return undefined
  // A link of ours is refused too: a new file would replace the link, and not the file that it leads to.
  if (found.isSymbolicLink())
    return refuse('CONFIG_EXPOSED', `${path} is a symbolic link`, { suggestion: 'name the file that it leads to' })
      .failure
  return judgeStat(path, found, ourUsers())
}

const CURE = 'name a path in a folder that nobody else can write to, such as /run/ghostport or /var/lib/ghostport'

/**
 * Makes the missing folders of `path`, mode 0700, and checks it as {@link judgeServerFile} does. It checks twice:
 * before, so that nothing is made where it should not be, and afterwards.
 * @throws the file system's errors.
 */
export function prepareServerFile(path: string): Exposed | undefined {
  const exposed = judgeServerFile(path)
  if (exposed !== undefined) return exposed
  makeFolder(dirname(resolve(path)))
  return judgeServerFile(path)
}

/**
 * One level at a time. `mkdirSync` with `recursive` never returns if a folder exists and its child cannot be made, as
 * in /proc (seen with Node 24.21).
 */
function makeFolder(folder: string): void {
  if (existsSync(systemPath(folder))) return
  const parent = dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(systemPath(folder), { mode: 0o700 })
  } catch (error) {
    // Another process of ours may have made it first.
    if (!existsSync(systemPath(folder))) throw error
    return
  }
  syncFolder(parent)
}

/** Writes the names in a folder to disk, so that they are as durable as the files. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(systemPath(folder), 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Opens a file to read. Never waits for the writer of a named pipe, and never takes a terminal. */
export const TO_READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * Reads a short file of ours.
 * @returns its text, at most `most` bytes of it; undefined if there is none. CONFIG_EXPOSED as {@link judgeServerFile};
 * CONFIG_UNREADABLE if it is not a regular file.
 * @throws the file system's errors.
 */
export function readServerFile(
  path: string,
  most: number,
): Result<string | undefined, Exposed | Failure<'CONFIG_UNREADABLE'>> {
  const exposed = judgeServerFile(path)
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

/** Identifies a file, independent of its name. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/**
 * Removes a file of the server, and what a process has left that was killed while it wrote the file. None need be
 * there.
 * @throws the file system's errors.
 */
export function removeFileAndDrafts(path: string): void {
  const drafts = existsSync(systemPath(dirname(path))) ? draftsOf(path) : []
  for (const one of [...drafts, path]) rmSync(systemPath(one), { force: true })
}

/**
 * Puts a file with `text` at `path` in one step. It is written under another name first, and never through a link or
 * into an existing file. The caller has checked the path.
 * @param owner whose the file becomes; absent: the user of this process. By the descriptor alone: the owner of the
 * folder could lead a name elsewhere.
 * @throws the file system's errors.
 */
export function replaceServerFile(
  path: string,
  text: string,
  mode: number,
  owner?: { readonly uid: number; readonly gid: number },
): FileIdentity {
  removeDeadDrafts(path)
  const draft = systemPath(draftOf(path))
  const descriptor = openSync(
    draft,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  )
  try {
    writeFileSync(descriptor, text)
    fchmodSync(descriptor, mode)
    if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid)
    fsyncSync(descriptor)
    renameSync(draft, systemPath(path))
    const { dev, ino } = fstatSync(descriptor, { bigint: true })
    return { dev, ino }
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** Removes the file with this identity, and no other file of that name. A file that cannot be removed stays. */
export function removeServerFile(path: string, { dev, ino }: FileIdentity): void {
  try {
    const found = lstatSync(systemPath(path), { bigint: true })
    if (found.dev === dev && found.ino === ino) unlinkSync(systemPath(path))
  } catch {
    // Gone, or not accessible.
  }
}
