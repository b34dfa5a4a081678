/** `ghostport outside --compare ONE TWO`. */
import { unlike } from '../../scan/command-lines.ts'
import { compareScans } from '../../scan/compare.ts'
import { readScan } from '../../scan/read-scan.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { failed } from './failed.ts'
import { comparisonJson } from './json.ts'
import type { Given } from './options.ts'
import { comparisonLines, noteWarnings } from './text.ts'

export async function compareFiles(
  files: readonly [string, string],
  given: Given,
  terminal: Terminal,
): Promise<Outcome> {
  const [one, two] = [readScan(files[0]), readScan(files[1])]
  if (!one.ok) return failed(one.failure, given, terminal)
  if (!two.ok) return failed(two.failure, given, terminal)
  const comparison = compareScans(one.value, two.value)
  const own = [one, two].flatMap(({ value: { hosts } }, n) =>
    hosts.some(({ address, fromItself }) => fromItself || /^(127\.|::1$)/.test(address))
      ? [`${files[n]}: a host scanned itself. That proves nothing of what others see, since loopback is usually let in`]
      : [],
  )
  const warnings = [...unlike(one.value, two.value, files), ...own]
  const status = comparison.differences.length > 0 ? 1 : 0
  if (given.json > 0) terminal.printJson({ ...comparisonJson(comparison), warnings, status })
  else {
    noteWarnings(warnings, terminal)
    terminal.print(comparisonLines(comparison, files, terminal.style))
  }
  return status
}
