/**
 * Gives back the memory that only the start needed: source texts, parse trees, compilers’ work. Once, at the end of the
 * start: V8 and the C library would keep it for later (docs/BENCHMARKS.md).
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { libcIfLoaded } from './libc.ts'

/**
 * Takes some 10 ms, during which nothing else happens in this thread. The compiled form of each function goes too: most
 * ran for the start only. The others are compiled again when they are called.
 */
export function returnMemory(): void {
  setFlagsFromString('--expose-gc')
  // Where the collector is exposed, each new context has it.
  const collect: (options: { type: 'major'; flavor: 'last-resort' }) => void = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  setFlagsFromString('--stress-flush-code')
  collect({ type: 'major', flavor: 'last-resort' })
  setFlagsFromString('--no-stress-flush-code')
  libcIfLoaded()?.mallocTrim?.(0)
}
