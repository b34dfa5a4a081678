/** How many files and sockets this process may have open: RLIMIT_NOFILE. Node raises the soft limit to the hard one when it starts. */
import { readFileSync } from 'node:fs'

/** @param limits the text of /proc/PID/limits. @returns the soft limit; undefined where it has none, or the text no such line. */
export function parseDescriptorLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files +([0-9]+) /m.exec(limits) ?? []
  return soft === undefined ? undefined : Number(soft)
}

/** @returns undefined where there is no limit, or where it cannot be known (outside Linux). */
export function descriptorLimit(): number | undefined {
  try {
    return parseDescriptorLimit(readFileSync('/proc/self/limits', 'utf8'))
  } catch {
    return undefined
  }
}
