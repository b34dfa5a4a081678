/** A scan of our own as a run that can be shown, compared and saved like one of nmap. Pure. */
import type { IpAddress } from '../packet/address.ts'
import type { PortSeen, Seen } from './connect-scan.ts'
import type { PortState, Range, ScanResult, ScanRun } from './nmap-result.ts'

/** As nmap does: more ports of one state than this are summed up. An open one never is. */
const MOST_LISTED = 25

/** Its number changes when such a scan begins to see other things. */
const SCANNER = 'ghostport 1'

/** @param commandLine what gives the same scan again. */
export function runOf(seen: Seen, ports: readonly number[], commandLine: string): ScanRun {
  const hosts = [...seen].map(([address, answers]) => resultOf(address, answers))
  return { scanner: SCANNER, commandLine, asked: new Map([['tcp', rangesOf(ports)]]), hosts }
}

function resultOf(address: IpAddress, answers: ReadonlyMap<number, PortSeen>): ScanResult {
  const byState = new Map<PortState, number[]>()
  for (const [port, { state }] of answers) {
    const ports = byState.get(state) ?? []
    byState.set(state, ports)
    ports.push(port)
  }
  const isListed = (state: PortState): boolean => state === 'open' || (byState.get(state)?.length ?? 0) <= MOST_LISTED
  const sorted = [...answers].sort(([one], [other]) => one - other)
  return {
    ...{ address, fromItself: false, counted: [] },
    listed: new Map(sorted.flatMap(([port, { state }]) => (isListed(state) ? [[`tcp/${port}`, state]] : []))),
    services: new Map(sorted.flatMap(([port, { banner }]) => (banner === undefined ? [] : [[`tcp/${port}`, banner]]))),
    others: [...byState].flatMap(([state, ports]) =>
      isListed(state) ? [] : [{ protocol: 'tcp', state, ports: rangesOf(ports) }],
    ),
  }
}

/** In any order → ranges. */
export function rangesOf(ports: readonly number[]): readonly Range[] {
  const ranges: [number, number][] = []
  for (const port of [...ports].sort((one, other) => one - other)) {
    const last = ranges.at(-1)
    if (last?.[1] === port - 1) last[1] = port
    else ranges.push([port, port])
  }
  return ranges
}
