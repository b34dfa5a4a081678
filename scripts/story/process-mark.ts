/** Identifies a process permanently: its number alone may later belong to another process. */
import { readFileSync, readlinkSync } from 'node:fs'

export interface ProcessMark {
  readonly pid: number
  /** In the kernel's ticks since it booted. */
  readonly startedAt: string
  /** The process namespace in which the number counts. */
  readonly namespace: string
}

export function markOf(pid: number): ProcessMark {
  return { pid, startedAt: startOf(pid) ?? '', namespace: ourNamespace() }
}

/** @returns `unknown` if the number belongs to another process namespace, which this process cannot see. */
export function stateOf({ pid, startedAt, namespace }: ProcessMark): 'alive' | 'gone' | 'unknown' {
  if (namespace !== ourNamespace()) return 'unknown'
  return startOf(pid) === startedAt ? 'alive' : 'gone'
}

function ourNamespace(): string {
  return readlinkSync('/proc/self/ns/pid')
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
