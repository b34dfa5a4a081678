/** Whether this process may make code at run time. systemd can forbid it: MemoryDenyWriteExecute=. */
import { libc } from './libc.ts'

const PROT_READ_WRITE_EXECUTE = 7
const MAP_PRIVATE_ANONYMOUS = 0x22
const SIZE = 4096
const FAILED = -1

/**
 * Tried, since no file says so. Node.js ends at its start where it may not, unless it runs with `--jitless`. All that
 * this process starts is under the same rule.
 */
export function mayMakeCode(): boolean {
  const native = libc()
  const at = native.mmap(null, SIZE, PROT_READ_WRITE_EXECUTE, MAP_PRIVATE_ANONYMOUS, -1, 0)
  if (Number(at) === FAILED) return false
  native.munmap(at, SIZE)
  return true
}
