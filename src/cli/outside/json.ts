/** The JSON of `ghostport outside` (docs/OUTSIDE.md). */
import type { IpAddress } from '../../packet/address.ts'
import type { Comparison } from '../../scan/compare.ts'
import type { ScanRun } from '../../scan/nmap-result.ts'
import { showRanges } from '../../scan/port-table.ts'

/** @param from by address of the target: from where it was asked. */
export function runJson({ scanner, commandLine, hosts }: ScanRun, from?: ReadonlyMap<IpAddress, IpAddress>) {
  return {
    ...{ scanner, commandLine: commandLine ?? null },
    hosts: hosts.map((host) => ({
      ...{ address: host.address, from: from?.get(host.address) ?? null },
      ports: [...host.listed].map(([name, state]) => ({
        ...{ port: name, state, says: host.services.get(name) ?? null },
      })),
      others: [
        ...host.others.map(({ protocol, state, ports }) => ({ protocol, state, ports: showRanges(ports) })),
        ...host.counted.map(({ state, count }) => ({ protocol: null, state, count })),
      ],
    })),
  }
}

export function comparisonJson({ differences, askedOnce }: Comparison) {
  return {
    differences: differences.map(({ address, kind, protocol, ports, before, after }) => ({
      ...{ address, kind, protocol: protocol ?? null },
      ...{ ports: ports === undefined ? null : showRanges([ports]), before, after },
    })),
    askedOnce: askedOnce.map(({ protocol, ports }) => `${protocol}/${showRanges([ports])}`),
  }
}
