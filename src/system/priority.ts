/**
 * The priority of those processes that a knock waits for, over other work of the machine: nice(2). Each has one thread,
 * which gets one share of a busy processor. With a small share, knocks are late. Without the privilege nothing changes:
 * a process has the share that it was started with.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** `Nice=` of packaging/ghostport.service says the same. */
const NICENESS = -10

/** One that the warden started. @param pid absent: it did not start. */
export function preferProcess(pid: number | undefined): void {
  if (pid !== undefined) prefer(pid, NICENESS)
}

/** This process, which is the warden. A value that a service manager or an administrator has given stays. */
export function preferWarden(): void {
  const given = getPriority()
  if (given <= 0) prefer(process.pid, given === 0 ? NICENESS : given)
}

/** One that the warden started and no knock waits for. @param pid absent: it did not start. */
export function withoutPreference(pid: number | undefined): void {
  try {
    if (pid !== undefined && getPriority(pid) < 0) setPriority(pid, 0)
  } catch {
    // It has ended.
  }
}

function prefer(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness)
    // The kernel may make a group of each session (sched(7), “autogroup”). The value above then counts within the group
    // only, and the group has a value of its own. A group with programs of others stays as it is.
    if (sessionOf(pid) === pid) writeFileSync(`/proc/${pid}/autogroup`, `${niceness}`)
  } catch {
    // No privilege, or a kernel without such groups.
  }
}

/** The fourth field after the name, which is in brackets and may have any character: proc_pid_stat(5). */
function sessionOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[3])
}
