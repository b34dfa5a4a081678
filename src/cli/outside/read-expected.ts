/** The file of `--expect`. */
import { readFileSync, statSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Expected, LONGEST_EXPECTATION, parseExpected } from '../../scan/expect.ts'
import { fileReason } from '../../system/errno.ts'
import { systemPath } from '../../system/system-path.ts'

/** @returns undefined if none is named. */
export function readExpected(file: string | undefined): Result<readonly Expected[] | undefined, Failure> {
  if (file === undefined) return ok(undefined)
  try {
    const path = systemPath(file)
    const found = statSync(path)
    if (!found.isFile()) return refuse('CONFIG_UNREADABLE', `${file} is not a regular file`)
    if (found.size > LONGEST_EXPECTATION) return refuse('CONFIG_UNREADABLE', `${file} is longer than 1 MB`)
    return parseExpected(readFileSync(path, 'utf8'), file)
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${file}: ${fileReason(error)}`)
  }
}
