/**
 * Keeps keys out of core files, without anything native: Linux then writes a core that holds registers and no memory. Programs
 * that are started from here inherit it. The server's processes forbid cores as well, by prctl(2) (daemon/privilege.ts).
 */
import { writeFileSync } from 'node:fs'

/** core(5), “Controlling which mappings are written”. Elsewhere than on Linux this does nothing. */
export function keepMemoryOutOfCores(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0')
  } catch {
    // Not Linux, or a kernel that writes no cores.
  }
}
