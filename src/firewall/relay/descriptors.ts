/**
 * How many files and sockets this process may have open: RLIMIT_NOFILE. Node raises the soft limit to the hard one at
 * its start.
 */
import { readFileSync } from 'node:fs'

/** @param limits the text of /proc/PID/limits. @returns the soft limit; undefined if there is none, or no such line. */
export function parseDescriptorLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files +([0-9]+) /m.exec(limits) ?? []
  return soft === undefined ? undefined : Number(soft)
}

/** @returns undefined if there is no limit, or if it is unknown (outside Linux). */
export function descriptorLimit(): number | undefined {
  try {
    return parseDescriptorLimit(readFileSync('/proc/self/limits', 'utf8'))
  } catch {
    return undefined
  }
}
