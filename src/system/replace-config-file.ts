/**
 * Puts another text in the place of a file of the administrator’s, such as access.conf. A reader gets the
 * old text or the new one at any moment, also after a crash or a power failure. Owner and mode stay.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { bytesFromText } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { fileReason } from './errno.ts'
import { judgeTrail, ourUsers } from './file-trust.ts'
import { syncFolder } from './server-file.ts'
import { systemPath } from './system-path.ts'

type WriteFailure = Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'>

/** A new file holds keys. */
const MODE_OF_NEW = 0o600

/**
 * @param file a link stays, and the file that it leads to is replaced. A file that is not there is made, mode 0600. The
 * caller has read it, and so knows that nobody else may change it.
 * @returns CONFIG_UNWRITABLE: nothing was changed. CONFIG_EXPOSED: others could put another file there.
 */
export function replaceConfigFile(file: string, text: string): Result<void, WriteFailure> {
  let draft: string | undefined
  try {
    const bytes = bytesFromText(text)
    if (bytes === undefined) return refuse('CONFIG_UNWRITABLE', `${file}: the text holds half of a surrogate pair`)
    const target = existsSync(systemPath(file)) ? realpathSync(file) : file
    // In a folder where others make files, they could put theirs in the place of the draft.
    const exposed = judgeTrail(target, { owners: ourUsers(), alone: true })
    if (exposed !== undefined) return { ok: false, failure: exposed }
    const found = statSync(systemPath(target), { throwIfNoEntry: false })
    if (found !== undefined && !found.isFile()) return refuse('CONFIG_UNWRITABLE', `${file} is not a regular file`)
    if (found !== undefined && found.nlink > 1)
      return refuse('CONFIG_UNWRITABLE', `${file} has another name (a hard link), which would keep the old text`)
    draft = draftOf(target)
    const descriptor = openSync(systemPath(draft), 'wx', MODE_OF_NEW)
    try {
      writeFileSync(descriptor, bytes)
      if (found !== undefined) {
        fchownSync(descriptor, found.uid, found.gid)
        fchmodSync(descriptor, found.mode & 0o7777)
      }
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(systemPath(draft), systemPath(target))
    draft = undefined
    syncFolder(dirname(target))
    return ok(undefined)
  } catch (error) {
    if (draft !== undefined) remove(draft)
    return refuse('CONFIG_UNWRITABLE', `${file}: ${fileReason(error)}`)
  }
}

/**
 * Removes what a process left behind that was ended while it wrote this file: a text with keys, which nobody needs.
 * @param file only one process at a time may do this, and write.
 */
export function removeDrafts(file: string): void {
  try {
    const target = existsSync(systemPath(file)) ? realpathSync(file) : file
    const folder = dirname(target)
    const beginning = `.${basename(target)}.draft-`
    for (const name of readdirSync(folder))
      if (name.startsWith(beginning) && /^[0-9a-f]{12}$/.test(name.slice(beginning.length))) remove(join(folder, name))
  } catch {
    // The folder cannot be listed: who writes there is told so.
  }
}

/** Not read by %include_folder, which takes names that end in “.conf”. */
function draftOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.draft-${randomBytes(6).toString('hex')}`)
}

function remove(path: string): void {
  try {
    if (lstatSync(systemPath(path)).isFile()) unlinkSync(systemPath(path))
  } catch {
    // It was never made.
  }
}
