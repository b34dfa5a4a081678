/** `ghostport outside TARGET`: one scan, and whether it is as expected. */
import { type Judgement, judgeExpected } from '../../scan/expect.ts'
import { writeResult } from '../../scan/write-result.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { askedFor } from './asked.ts'
import { failed } from './failed.ts'
import { runJson } from './json.ts'
import type { Given } from './options.ts'
import { aimAt, longest, scan } from './scan.ts'
import { expectationLines, noteWarnings, runLines, silentWarnings } from './text.ts'

/** Seconds. A scan that takes longer is announced. */
const LONG = 20

export async function scanTarget(target: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const asked = askedFor(given)
  if (!asked.ok) return failed(asked.failure, given, terminal)
  const { expected, wish } = asked.value
  const aim = await aimAt(target, wish)
  if (!aim.ok) return failed(aim.failure, given, terminal)
  const time = longest(aim.value, wish)
  if (time > LONG && given.json === 0) terminal.note(`this takes up to ${time} s`)
  const scanned = await scan(aim.value, wish)
  if (!scanned.ok) return failed(scanned.failure, given, terminal)
  const { run } = scanned.value
  if (given.save !== undefined) {
    const saved = replaceUserFile(given.save, writeResult(run, scanned.value))
    if (!saved.ok) return failed(saved.failure, given, terminal)
  }
  const { addresses, skipped } = aim.value
  const judged = expected && withSkipped(judgeExpected(run, expected), skipped)
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
