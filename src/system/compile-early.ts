/**
 * When V8 makes machine code of a function: by its default after 400 calls, and 500 calls after it last saw a new kind
 * of value there. A process that does a few things at long intervals would not get there in days, and would be slow at
 * each of them (docs/BENCHMARKS.md).
 */
import { setFlagsFromString } from 'node:v8'

const FLAGS = ['--invocation-count-for-maglev=20', '--minimum-invocations-after-ic-update=20'] as const

/** Later than on the command line: there, such options cost each start 10 ms (stay-small.ts). */
export function compileEarly(): void {
  for (const flag of FLAGS) setFlagsFromString(flag)
}
