/** What the options of `ghostport outside TARGET` ask for, with and without `--knock`. */
import { type Failure, ok, type Result } from '../../result.ts'
import type { Expected } from '../../scan/expect.ts'
import type { Given } from './options.ts'
import { parseAfter, parseWish, portsOfExpected, type ScanWish } from './parse-options.ts'
import { readExpected } from './read-expected.ts'

export interface Asked {
  /** Absent without `--expect`. */
  readonly expected: readonly Expected[] | undefined
  /** Its ports are those of `--expect` too. */
  readonly wish: ScanWish
  /** Seconds of `--after`. */
  readonly after: number | undefined
}

/** Reads the file of `--expect`. */
export function askedFor(given: Given): Result<Asked, Failure> {
  const expected = readExpected(given.expect)
  if (!expected.ok) return expected
  const needed = expected.value === undefined ? ok([]) : portsOfExpected(expected.value)
  if (!needed.ok) return needed
  const after = parseAfter(given)
  if (!after.ok) return after
  const wish = parseWish(given, needed.value)
  return wish.ok ? ok({ expected: expected.value, wish: wish.value, after: after.value }) : wish
}
