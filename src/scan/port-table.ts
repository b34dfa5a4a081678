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

/** How many ports were asked. */
export function askedPorts(table: PortTable): number {
  let count = 0
  for (let port = 0; port <= 65_535; port++) if (table.at(port) !== 'not asked') count++
  return count
}

/** Each state with its ports, as ranges. */
export function rangesByState(table: PortTable): ReadonlyMap<PortWord, readonly Range[]> {
  const found = new Map<PortWord, [number, number][]>()
  for (let port = 0; port <= 65_535; port++) {
    const word = table.at(port)
    if (word === 'not asked') continue
    const ranges = found.get(word) ?? []
    found.set(word, ranges)
    const last = ranges.at(-1)
    if (last?.[1] === port - 1) last[1] = port
    else ranges.push([port, port])
  }
  return found
}

/** `1-79,443`. */
export function showRanges(ranges: readonly Range[]): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}
