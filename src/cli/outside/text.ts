/** The text of `ghostport outside`. What services say comes from outside: terminal/line.ts makes it printable. */
import type { Comparison, Difference } from '../../scan/compare.ts'
import { showRanges } from '../../scan/port-table.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function noteWarnings(warnings: readonly string[], terminal: Terminal): void {
  for (const warning of warnings) terminal.note(`warning: ${warning}`)
}

/** @param names of the two scans. */
export function comparisonLines(
  { differences, askedOnce }: Comparison,
  [one, two]: readonly [string, string],
  style: Style,
): readonly Line[] {
  const skipped = askedOnce.map(({ protocol, ports }) => `${protocol}/${showRanges([ports])}`)
  const notCompared = skipped.length === 0 ? [] : [`not compared, since only one of them asked: ${shortened(skipped)}`]
  if (differences.length === 0) return [line`${style.good('the same')}: ${one} and ${two}`, ...notCompared]
  const addresses = [...new Set(differences.map(({ address }) => address))]
  return [
    line`${style.bad('different')}: ${one} → ${two}`,
    ...addresses.flatMap((address) => [
      address,
      ...differences.filter((each) => each.address === address).map(differenceLine),
    ]),
    ...notCompared,
  ]
}

function differenceLine({ kind, protocol, ports, before, after }: Difference): Line {
  switch (kind) {
    case 'host':
      return `  the host: ${before} → ${after}`
    case 'count':
      return `  all ports: ${before} → ${after}`
    case 'state':
      return `  ${protocol}/${showRanges(ports === undefined ? [] : [ports])}: ${before} → ${after}`
    case 'service':
      return `  ${protocol}/${showRanges(ports === undefined ? [] : [ports])} says: ${quoted(before)} → ${quoted(after)}`
    default:
      return kind satisfies never
  }
}

export function quoted(said: string): string {
  return said === '' ? 'nothing' : `“${said}”`
}

const MOST_SHOWN = 10

function shortened(all: readonly string[]): string {
  const more = all.length - MOST_SHOWN
  return `${all.slice(0, MOST_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
