/** The JSON of `ghostport outside` (docs/OUTSIDE.md). */
import type { Comparison } from '../../scan/compare.ts'
import { showRanges } from '../../scan/port-table.ts'

export function comparisonJson({ differences, askedOnce }: Comparison) {
  return {
    differences: differences.map(({ address, kind, protocol, ports, before, after }) => ({
      ...{ address, kind, protocol: protocol ?? null },
      ...{ ports: ports === undefined ? null : showRanges([ports]), before, after },
    })),
    askedOnce: askedOnce.map(({ protocol, ports }) => `${protocol}/${showRanges([ports])}`),
  }
}
