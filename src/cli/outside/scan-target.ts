/** `ghostport outside TARGET`: one scan, and whether it is as expected. */
import { ok } from '../../result.ts'
import { type Judgement, judgeExpected } from '../../scan/expect.ts'
import { writeResult } from '../../scan/write-result.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { failed } from './failed.ts'
import { runJson } from './json.ts'
import type { Given } from './options.ts'
import { parseAfter, parseWish, portsOfExpected } from './parse-options.ts'
import { readExpected } from './read-expected.ts'
import { aimAt, longest, scan } from './scan.ts'
import { expectationLines, noteWarnings, runLines, silentWarnings } from './text.ts'

/** Seconds. A scan that takes longer is announced. */
const LONG = 20

export async function scanTarget(target: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const expected = readExpected(given.expect)
  if (!expected.ok) return failed(expected.failure, given, terminal)
  const needed = expected.value === undefined ? ok([]) : portsOfExpected(expected.value)
  if (!needed.ok) return needed
  const after = parseAfter(given)
  if (!after.ok) return after
  const wish = parseWish(given, needed.value)
  if (!wish.ok) return wish
  const aim = await aimAt(target, wish.value)
  if (!aim.ok) return failed(aim.failure, given, terminal)
  const time = longest(aim.value, wish.value)
  if (time > LONG && given.json === 0) terminal.note(`this takes up to ${time} s`)
  const scanned = await scan(aim.value, wish.value)
  if (!scanned.ok) return failed(scanned.failure, given, terminal)
  const { run } = scanned.value
  if (given.save !== undefined) {
    const saved = replaceUserFile(given.save, writeResult(run, scanned.value))
    if (!saved.ok) return failed(saved.failure, given, terminal)
  }
  const { addresses, skipped } = aim.value
  const judged = expected.value && withSkipped(judgeExpected(run, expected.value), skipped)
  const warnings = [...(judged === undefined ? skipped : []), ...silentWarnings(run)]
  const status = judged === undefined ? 0 : statusOf(judged)
  if (given.json > 0) terminal.printJson({ scan: runJson(run, addresses), ...judged, warnings, status })
  else {
    noteWarnings(warnings, terminal)
    terminal.print(runLines(run, addresses, terminal.style))
    if (judged !== undefined) terminal.print(expectationLines(judged, given.expect ?? '', terminal.style))
  }
  return status
}

/** An address that could not be asked may be open. */
export function withSkipped({ surprises, unknown }: Judgement, skipped: readonly string[]): Judgement {
  return { surprises, unknown: [...unknown, ...skipped] }
}

/** What is seen counts more than what is not known. */
export function statusOf({ surprises, unknown }: Judgement): 0 | 1 | 2 {
  return surprises.length > 0 ? 1 : unknown.length > 0 ? 2 : 0
}
