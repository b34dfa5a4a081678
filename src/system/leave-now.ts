/**
 * Ends this process while a thread of it is blocked in a system call. `process.exit` waits for every thread of libuv’s
 * pool. A thread that writes to a reader that stalls would keep the process alive until that reader ends.
 */
import { libc } from './libc.ts'

/** No exit handlers run. @param status as far as possible: without the native part, the process ends by SIGKILL. */
export function leaveNow(status: number): never {
  try {
    libc().exitNow(status)
  } catch {
    // Not Linux, or no koffi.
  }
  process.kill(process.pid, 'SIGKILL')
  throw new Error('a process that ended by SIGKILL goes on')
}
