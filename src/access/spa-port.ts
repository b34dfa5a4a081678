/**
 * SPA_PORT: where the packets of a stanza arrive. A server for thousands of users gives them ports of their own: it
 * then tries only the keys of the port that a packet came to.
 */
import type { PortRange } from '../units.ts'
import type { Stanza } from './stanza.ts'

/** Whether a port is in one of these ranges. */
export function isInRanges(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => first <= port && port <= last)
}

/**
 * Whether a stanza answers at a port.
 * @param sharedPorts where stanzas without SPA_PORT answer. Absent: no stanza has one, and every captured port will do.
 */
export function answersAt(
  { spaPorts }: Pick<Stanza, 'spaPorts'>,
  sharedPorts: readonly PortRange[] | undefined,
  port: number,
): boolean {
  const ranges = spaPorts ?? sharedPorts
  return ranges === undefined || isInRanges(ranges, port)
}

/** The same ports in as few ranges as possible, in ascending order. */
export function mergeRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = []
  for (const { first, last } of [...ranges].sort((one, other) => one.first - other.first)) {
    const before = merged.at(-1)
    if (before === undefined || first > before.last + 1) merged.push({ first, last })
    else if (last > before.last) merged[merged.length - 1] = { first: before.first, last }
  }
  return merged
}
