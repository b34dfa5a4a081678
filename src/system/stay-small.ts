/**
 * Which of V8's compilers the processes of the server use once they are ready: machine code, and the memory in which it
 * is made, would be a quarter of what they take (docs/BENCHMARKS.md).
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
} as const

/** To be called when all code of the process is loaded: after that it takes none from a cache of compiled code. */
export function staySmall(process: keyof typeof FLAGS): void {
  for (const flag of FLAGS[process]) setFlagsFromString(flag)
}
