/** The file of process ids that FWKNOP_PID_FILE names. */
import { ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { type FileIdentity, replaceOurFile } from '../../system/our-file.ts'
import { notAPidFile } from './places.ts'

/** @returns which file was written, so that no other is removed at the end; CONFIG_UNWRITABLE where it cannot be. */
export function writePidFile(path: string): Result<FileIdentity> {
  try {
    const other = notAPidFile(path)
    if (other !== undefined) return refuse('CONFIG_UNWRITABLE', other)
    return ok(replaceOurFile(path, `${process.pid}\n`, 0o644))
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
  }
}
