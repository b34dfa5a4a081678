/** The state of each of the 65 536 ports of a protocol, as one scan of one host tells it. Pure. */
import { PORT_STATES, type Protocol, type Range, type ScanResult, type ScanRun } from './nmap-result.ts'

/** `counted`: it was asked, and is among those that are only counted. */
const WORDS = ['not asked', 'counted', ...PORT_STATES] as const
export type PortWord = (typeof WORDS)[number]

export interface PortTable {
  at(port: number): PortWord
}

export function portTable(host: ScanResult, asked: ScanRun['asked'], protocol: Protocol): PortTable {
  const words = new Uint8Array(65_536)
  const fill = (ranges: readonly Range[], word: PortWord): void => {
    for (const [first, last] of ranges) words.fill(WORDS.indexOf(word), first, last + 1)
  }
  const numbers = [...host.listed].filter(([name]) => name.startsWith(`${protocol}/`))
  // Which ports a grepable result counts, it may not say.
  const all: readonly Range[] = numbers.length > 0 && asked.size === 0 ? [[1, 65_535]] : []
  if (host.counted.length > 0) fill(asked.get(protocol) ?? all, 'counted')
  for (const other of host.others) if (other.protocol === protocol) fill(other.ports, other.state)
  for (const [name, state] of numbers) words[Number(name.slice(protocol.length + 1))] = WORDS.indexOf(state)
  return { at: (port) => WORDS[words[port] ?? 0] ?? 'not asked' }
}

/** `1-79,443`. */
export function showRanges(ranges: readonly Range[]): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}
