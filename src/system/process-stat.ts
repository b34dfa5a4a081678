/** What the kernel says of a process in one line: proc_pid_stat(5). */
import { readFileSync } from 'node:fs'

export interface ProcessStat {
  readonly parent: number
  readonly session: number
  /** The moment of its start, by which a later process with the same number is told apart. */
  readonly started: string
}

/** @returns undefined if there is no such process. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The name may have any character, so the fields are counted from its last parenthesis.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), session: Number(fields[3]), started: fields[19] ?? '' }
}
