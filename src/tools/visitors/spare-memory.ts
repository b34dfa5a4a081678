/**
 * Keeps this process small. V8 lets garbage grow to several times of what is alive before it looks for it: a log with a
 * million different agents would take 300 MB, of which 30 are alive.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much the heap may grow beyond what was alive at the last look: less takes longer (docs/BENCHMARKS.md). */
const GROWTH = 12_000_000
/** How much of a log is read between two looks. */
const BYTES_BETWEEN = 500_000

/** @returns what is to be told of each block that was read. */
export function memorySaver(): (bytes: number) => void {
  let collect: ((options: { type: 'major'; flavor: 'last-resort' }) => void) | undefined
  let read = 0
  let most = heapSize() + GROWTH
  return (bytes) => {
    read += bytes
    if (read < BYTES_BETWEEN) return
    read = 0
    if (heapSize() < most) return
    collect ??= collector()
    collect({ type: 'major', flavor: 'last-resort' })
    most = heapSize() + GROWTH
  }
}

/** With the room of what is no longer alive. */
function heapSize(): number {
  return getHeapStatistics().total_heap_size
}

function collector(): (options: { type: 'major'; flavor: 'last-resort' }) => void {
  setFlagsFromString('--expose-gc')
  // Where the collector is exposed, each new context has it.
  const collect = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return collect
}
