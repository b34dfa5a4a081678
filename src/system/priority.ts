/**
 * The priority of the processes that a knock waits for, over other work of the machine: nice(2). These are the warden,
 * the receiver and the cluster process. With a small share of a busy processor, knocks are late. Without the privilege
 * nothing changes: a process has the share that it was started with.
 */
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { readProcessStat } from './process-stat.ts'

/** `Nice=` of packaging/ghostport.service says the same. */
const NICENESS = -10

/** This process, which is the warden. A value that a service manager or an administrator has given stays. */
export function preferWarden(): void {
  try {
    if (getPriority() === 0) setPriority(NICENESS)
    // Each thread has a value of its own. Those of V8 are there already, and this one waits for them.
    for (const thread of ownThreads()) setPriority(thread, getPriority())
  } catch {
    // No privilege, or a thread has ended.
  }
  preferAsWarden(process.pid)
}

/**
 * One that the warden started. It has the warden's value from its birth; in a session of its own that may not count:
 * the kernel may make a group of each session (sched(7), “autogroup”). The value then counts within the group only, and
 * the group has a value of its own. A group with programs of others stays as it is.
 *
 * @param pid absent: it did not start.
 */
export function preferAsWarden(pid: number | undefined): void {
  const niceness = getPriority()
  if (pid === undefined || niceness >= 0) return
  try {
    if (isOwnProc() && readProcessStat(pid)?.session === pid) writeFileSync(`/proc/${pid}/autogroup`, `${niceness}`)
  } catch {
    // No privilege, or a kernel without such groups.
  }
}

/**
 * One that the warden has just started, for which no other knock waits. Its later threads have the value that it has by
 * then.
 *
 * @param pid absent: it did not start.
 */
export function withoutPreference(pid: number | undefined): void {
  try {
    if (pid !== undefined && getPriority(pid) < 0) setPriority(pid, 0)
  } catch {
    // It has ended, or is another user's by now, and this process lacks the privilege.
  }
}

function ownThreads(): readonly number[] {
  return isOwnProc() ? readdirSync('/proc/self/task').map(Number) : []
}

/** In a namespace of processes with the /proc of another, each number there is that of somebody else. */
function isOwnProc(): boolean {
  return readlinkSync('/proc/self') === String(process.pid)
}
