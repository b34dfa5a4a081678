/** Writes files of the user who knocks: whole or not at all, and readable by nobody else. */
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { bytesFromText } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { hiddenDraftOf, removeDeadDrafts } from './drafts.ts'
import { fileReason } from './errno.ts'
import { systemPath } from './system-path.ts'
import { judgeWay } from './user-file.ts'

/**
 * Puts `text` in the place of the file, by a temporary file beside it. A symbolic link stays, and the file that it
 * leads to is replaced. The new file has mode 0600.
 * @returns `CONFIG_UNWRITABLE`: nothing was changed. `CONFIG_EXPOSED`: for root, others could lead the path elsewhere.
 */
export function replaceUserFile(file: string, text: string): Result<void, WriteFailure> {
  return writeUserFile(file, text, (temporary, target) => renameSync(temporary, target))
}

/** As {@link replaceUserFile}, for a file that must not exist yet: also not since it was last looked for. */
export function createUserFile(file: string, text: string): Result<void, WriteFailure> {
  return writeUserFile(file, text, (temporary, target) => {
    linkSync(temporary, target)
    unlinkSync(temporary)
  })
}

export type WriteFailure = Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'>

/** @param place gives the temporary file its name. Throws the system's error. */
function writeUserFile(
  file: string,
  text: string,
  place: (temporary: string | Buffer, target: string | Buffer) => void,
): Result<void, WriteFailure> {
  let temporary: string | undefined
  try {
    const exposed = judgeWay(file)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    const found = lstatSync(systemPath(file), { throwIfNoEntry: false })
    const target = found?.isSymbolicLink() === true ? realpathSync(file) : file
    const there = target === file ? found : lstatSync(systemPath(target), { throwIfNoEntry: false })
    if (there !== undefined && !there.isFile()) return refuse('CONFIG_UNWRITABLE', `${file} is not a regular file`)
    const bytes = bytesFromText(text)
    if (bytes === undefined) return refuse('CONFIG_UNWRITABLE', `${file}: the text holds half of a surrogate pair`)

    removeDeadDrafts(target)
    temporary = hiddenDraftOf(target)
    const descriptor = openSync(systemPath(temporary), 'wx', 0o600)
    try {
      writeFileSync(descriptor, bytes)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    place(systemPath(temporary), systemPath(target))
    temporary = undefined
    syncFolder(dirname(target))
    return ok(undefined)
  } catch (error) {
    if (temporary !== undefined) removeIfThere(temporary)
    return refuse('CONFIG_UNWRITABLE', `${file}: ${fileReason(error)}`)
  }
}

/** So that the new name outlives a power failure. Some file systems cannot do this; the file is then there anyway. */
function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(systemPath(folder), 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    // The file has its name.
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(systemPath(path))
  } catch {
    // It was never made.
  }
}
