/** The process id file of FWKNOP_PID_FILE. */
import { ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { type FileIdentity, replaceServerFile } from '../../system/server-file.ts'
import { notAPidFile } from './own-paths.ts'

/**
 * @returns the identity of the written file, so that no other file is removed at the end; CONFIG_UNWRITABLE if it
 * cannot be written.
 */
export function writePidFile(path: string): Result<FileIdentity> {
  try {
    const other = notAPidFile(path)
    if (other !== undefined) return refuse('CONFIG_UNWRITABLE', other)
    return ok(replaceServerFile(path, `${process.pid}\n`, 0o644))
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
  }
}
