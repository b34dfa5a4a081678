/** Runs the safe cures of findings: the only part of the doctor that changes this host. */
import { closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs'
import { fileReason } from '../../system/errno.ts'
import { octal, ourUsers } from '../../system/file-trust.ts'
import { systemPath } from '../../system/system-path.ts'
import { runHere } from '../run-here.ts'
import type { Finding } from './check.ts'
import type { Examined } from './doctor.ts'
import { argvOf, type SafeCure } from './safe-cures.ts'

/** What can be mended without a risk. */
export interface Fixable {
  readonly code: string
  readonly finding: Finding
  readonly command: string
  readonly cure: SafeCure
}

/** Each command once: two checks may find the same fault. */
export function fixableIn(examined: readonly Examined[]): readonly Fixable[] {
  const found = new Map<string, Fixable>()
  for (const { check, answer } of examined)
    if (answer.kind === 'bad')
      for (const finding of answer.findings) {
        const { cure } = finding
        if (cure === undefined || !('command' in cure) || cure.safe === undefined) continue
        const { command, safe } = cure
        if (!found.has(command)) found.set(command, { code: check.code, finding, command, cure: safe })
      }
  return [...found.values()]
}

/** @returns undefined if the command did its work; else why not. */
export function mend(cure: SafeCure): string | undefined {
  if (typeof cure === 'object') return hide(cure.hide)
  if (process.geteuid?.() !== 0) return 'only root may run it: sudo ghostport doctor --fix'
  const { status, reason } = runHere(argvOf(cure))
  return status === 0 ? undefined : reason
}

/**
 * As `chmod 600`, of the file that was checked and of no other.
 * @returns why not: a file that others could change may hold what they wrote, and must be read by a person first.
 */
function hide(path: string): string | undefined {
  let descriptor: number
  try {
    descriptor = openSync(systemPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    return `${path}: ${fileReason(error)}`
  }
  try {
    const { mode, uid, nlink } = fstatSync(descriptor)
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return `${path} is not a regular file`
    if (!ourUsers().has(uid)) return `${path} belongs to user ${uid}`
    if (nlink !== 1) return `${path} has ${nlink} names: another one may be a file of another program`
    if ((mode & 0o022) !== 0)
      return `others can change ${path} (mode ${octal(mode)}). Read what is in it, and run the command yourself`
    fchmodSync(descriptor, 0o600)
    return undefined
  } catch (error) {
    return `${path}: ${fileReason(error)}`
  } finally {
    closeSync(descriptor)
  }
}
