/**
 * Reads files of the user who knocks: the rc file, and files of keys. Others must not be able to read files with keys,
 * nor to change any file (by the rule of file-trust.ts).
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { textFromBytes } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, fileReason, NO_SUCH_FILE } from './errno.ts'
import { type Exposed, judgeStat, judgeTrail, ourUsers } from './file-trust.ts'
import { readBounded } from './read-bounded.ts'
import { TO_READ } from './server-file.ts'
import { systemPath } from './system-path.ts'

const MOST_OF_FILE = 16 * 1024 * 1024

export interface UserFile {
  readonly text: string
  /** Whether users other than the owner may read it. */
  readonly readableByOthers: boolean
}

export type FileFailure = Failure<'CONFIG_UNREADABLE' | 'CONFIG_EXPOSED'>

/**
 * Checks the open file and not its name, so that nobody can replace it in between.
 * For root, the folders on the way to the file are checked too.
 * @returns its text, or undefined if there is no such file. `CONFIG_UNREADABLE`: it is not a regular file, or this user
 * may not read it. `CONFIG_EXPOSED`: others may write it, or it belongs to another user. That user would decide where
 * we knock and with which key.
 */
export function readUserFile(file: string): Result<UserFile | undefined, FileFailure> {
  let descriptor: number
  try {
    const exposed = judgeWay(file)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    descriptor = openSync(systemPath(file), TO_READ)
  } catch (error) {
    // ENOTDIR: a part of the path is not a folder.
    const missing = ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')
    return missing ? ok(undefined) : refuse('CONFIG_UNREADABLE', `${file}: ${fileReason(error)}`)
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return refuse('CONFIG_UNREADABLE', `${file} is not a regular file`)
    const changeable = judgeStat(file, stat, ourUsers())
    if (changeable !== undefined) return { ok: false, failure: changeable }
    const bytes = readBounded(descriptor, MOST_OF_FILE)
    return bytes === undefined
      ? refuse('CONFIG_UNREADABLE', `${file} is larger than ${MOST_OF_FILE} bytes`)
      : ok({ text: textFromBytes(bytes), readableByOthers: (stat.mode & 0o044) !== 0 })
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${file}: ${fileReason(error)}`)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Checks the folders on the way, for root only: others could lead root to any file. A normal user cannot change the
 * folders above the home directory.
 */
export function judgeWay(file: string): Exposed | undefined {
  return process.geteuid?.() === 0 ? judgeTrail(file, { owners: ourUsers(), cure: () => CURE }) : undefined
}

const CURE = 'keep the file in a folder that only root can write to'

/** As {@link readUserFile}, for a file that holds a secret. */
export function readSecretFile(file: string): Result<string, FileFailure> {
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value === undefined) return refuseMissing(file)
  return read.value.readableByOthers ? refuseExposed(file) : ok(read.value.text)
}

export function refuseExposed(file: string) {
  return refuse('CONFIG_EXPOSED', `${file} holds a key and can be read by others`, { suggestion: `chmod 600 ${file}` })
}

export function refuseMissing(file: string) {
  return refuse('CONFIG_UNREADABLE', `${file}: ${NO_SUCH_FILE}`)
}
