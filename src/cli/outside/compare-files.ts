/** `ghostport outside --compare ONE TWO`, and `--compare ONE --expect FILE`. */
import { unlike } from '../../scan/command-lines.ts'
import { compareScans } from '../../scan/compare.ts'
import { judgeExpected } from '../../scan/expect.ts'
import type { ScanRun } from '../../scan/nmap-result.ts'
import { readScan } from '../../scan/read-scan.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { failed } from './failed.ts'
import { comparisonJson } from './json.ts'
import type { Given } from './options.ts'
import { readExpected } from './read-expected.ts'
import { statusOf } from './scan-target.ts'
import { comparisonLines, expectationLines, noteWarnings } from './text.ts'

/** @param files one, if there is an expectation; or two. */
export async function compareFiles(files: readonly string[], given: Given, terminal: Terminal): Promise<Outcome> {
  const expected = readExpected(given.expect)
  if (!expected.ok) return failed(expected.failure, given, terminal)
  const runs: ScanRun[] = []
  for (const file of files) {
    const read = readScan(file)
    if (!read.ok) return failed(read.failure, given, terminal)
    runs.push(read.value)
  }
  const [one, two] = runs
  const [first = '', second = ''] = files
  const comparison = one === undefined || two === undefined ? undefined : compareScans(one, two)
  const judged = expected.value && runs.map((run) => judgeExpected(run, expected.value ?? []))
  const own = runs.flatMap(({ hosts }, n) =>
    hosts.some(({ address, fromItself }) => fromItself || /^(127\.|::1$)/.test(address))
      ? [`${files[n]}: a host scanned itself. That proves nothing of what others see, since loopback is usually let in`]
      : [],
  )
  const warnings = [...(one === undefined || two === undefined ? [] : unlike(one, two, [first, second])), ...own]
  const statuses = [
    ...(judged ?? []).map(statusOf),
    comparison !== undefined && comparison.differences.length > 0 ? 1 : 0,
  ]
  const status = statuses.includes(1) ? 1 : Math.max(...statuses)
  if (given.json > 0) {
    const expectations = judged && { expectations: judged.map((each, n) => ({ file: files[n], ...each })) }
    terminal.printJson({ ...(comparison && comparisonJson(comparison)), ...expectations, warnings, status })
    return status
  }
  noteWarnings(warnings, terminal)
  if (comparison !== undefined) terminal.print(comparisonLines(comparison, [first, second], terminal.style))
  for (const [n, each] of (judged ?? []).entries()) {
    if (files.length > 1) terminal.print(`${files[n]}:`)
    terminal.print(expectationLines(each, given.expect ?? '', terminal.style))
  }
  return status
}
