/**
 * How V8 runs the processes of the server (docs/BENCHMARKS.md). Machine code, and the memory in which it is made, would
 * be a quarter of what they take: so once they are ready, some do without it.
 *
 * On the command line such options cost each start 10 ms, since Node keeps its own modules compiled for V8's defaults.
 * Set later, they cost nothing.
 */
import { setFlagsFromString } from 'node:v8'

const FLAGS = {
  // A knock costs it system calls, SQLite and the kernel. What dies young gets no more room than it has at first, 1 MB.
  warden: ['--no-turbofan', '--no-maglev', '--semi-space-growth-factor=1'],
  // A flood needs the best machine code there is; the stage before that it does not need, which Node.js 22 has not at
  // all.
  receiver: ['--no-maglev'],
  // Each second it reads the grants anew, thousands of short-lived texts.
  console: ['--semi-space-growth-factor=1'],
  // From its start. It does a few things at long intervals. By default, V8 compiles a function after 400 calls, and 500
  // calls after it last saw a new kind of value there: it would not get there in days, and each claim would be slow.
  cluster: ['--invocation-count-for-maglev=20', '--minimum-invocations-after-ic-update=20'],
} as const

/**
 * What takes compilers away is to be called when all code of the process is loaded: after that it takes none from a
 * cache of compiled code.
 */
export function setV8Options(process: keyof typeof FLAGS): void {
  for (const flag of FLAGS[process]) setFlagsFromString(flag)
}
