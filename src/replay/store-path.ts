/**
 * Checks the path of the replay store. A user who could write to its directory could replace the file, or add a
 * write-ahead log. So the rule for files of ours applies (system/server-file.ts), and only a regular file is accepted.
 *
 * Nothing here opens an existing file. POSIX record locks belong to the process: closing any descriptor of a locked
 * file drops the lock that another part of the same process holds on it.
 */
import { lstatSync } from 'node:fs'
import { systemReason } from '../system/errno.ts'
import type { Exposed } from '../system/file-trust.ts'
import { judgeServerFile, prepareServerFile } from '../system/server-file.ts'

/**
 * Makes the directory of `path`, mode 0700, if it is missing, and checks directory and file.
 * @returns what is wrong, for the operator; undefined if all is well.
 */
export function prepareStorePath(path: string): string | undefined {
  return judged(path, prepareServerFile)
}

/** The same without making anything, also for a file beside the store. What does not exist yet is accepted. */
export function judgeStorePath(path: string): string | undefined {
  return judged(path, judgeServerFile)
}

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

/** Identifies the file, even if another file takes its name. */
export function fileIdentity(path: string): string | undefined {
  const file = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return file === undefined ? undefined : `${file.dev}:${file.ino}`
}
