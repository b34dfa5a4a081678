/**
 * A path fit for the replay store. Others who could write to its directory could put another file, or a write-ahead log of their own, in
 * its place: so the rule for files of ours counts (system/our-file.ts), and only a regular file is one.
 *
 * Nothing here opens a file that exists. POSIX record locks belong to the process: closing any descriptor of a locked
 * file drops the lock that another part of the same process holds on it.
 */
import { lstatSync } from 'node:fs'
import { systemReason } from './errno.ts'
import { judgeOurFile, prepareOurFile } from './our-file.ts'
import type { Exposed } from './path-trail.ts'

export { syncFolder as syncDirectory } from './our-file.ts'

/**
 * Makes the directory of `path`, mode 0700, where there is none, and judges directory and file.
 * @returns what is wrong with it, for the operator; nothing where all is well.
 */
export function preparePrivatePath(path: string): string | undefined {
  return judged(path, prepareOurFile)
}

/** The same without making anything: a directory that is not there yet is well. */
export function judgePrivatePath(path: string): string | undefined {
  return judged(path, judgeOurFile)
}

/** The same, for one more file beside one that was judged. A file that is not there is well. */
export const judgeFile = judgePrivatePath

function judged(path: string, judge: (path: string) => Exposed | undefined): string | undefined {
  try {
    const exposed = judge(path)
    if (exposed !== undefined)
      return `${exposed.detail}${exposed.suggestion === undefined ? '' : `: ${exposed.suggestion}`}`
    const file = lstatSync(path, { throwIfNoEntry: false })
    return file === undefined || file.isFile() ? undefined : `${path} is not a regular file`
  } catch (error) {
    return `${path}: ${systemReason(error)}`
  }
}

/** What makes a file itself and no other, also when another takes its name. */
export function fileIdentity(path: string): string | undefined {
  const file = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return file === undefined ? undefined : `${file.dev}:${file.ino}`
}
