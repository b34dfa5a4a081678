/**
 * Checks whether another ghostport already runs, before anything is opened. Otherwise a start would fail half way at a
 * lock, and name the lock instead of the cause. The locks still keep two servers apart; this check only reports it
 * sooner, and with a process id.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { FWKNOPD_TITLE, WARDEN_TITLE } from '../../system/own-process.ts'
import { userIds } from '../../system/privilege.ts'
import { readServerFile } from '../../system/server-file.ts'
import { systemPath } from '../../system/system-path.ts'
import { askControl } from './control.ts'

/**
 * @returns INSTANCE_RUNNING with the process id of the other server, if one answers or the process id file names one.
 */
export async function refuseSecondInstance({
  controlSocket,
  pidFile,
}: Pick<ServerConfig, 'controlSocket' | 'pidFile'>): Promise<Result<void, Failure<'INSTANCE_RUNNING'>>> {
  const asked = await askControl(controlSocket, 'status')
  if (asked.ok) {
    const { warden } = asked.value as { readonly warden?: unknown }
    return running(typeof warden === 'number' ? warden : undefined, `it answers at CONTROL_SOCKET ${controlSocket}`)
  }
  if (asked.failure.listens)
    return running(undefined, `something listens at CONTROL_SOCKET ${controlSocket}, and does not answer`)
  const named = pidFile === undefined ? undefined : wardenNamedIn(pidFile)
  return named === undefined ? ok(undefined) : running(named, `FWKNOP_PID_FILE ${pidFile} names it`)
}

/**
 * The failure of a start whose replay store is locked: the same as for everything else that only one server may have.
 */
export function asRunningInstance<F extends Failure>(failure: F, path: string): F | Failure<'INSTANCE_RUNNING'> {
  if (failure.code !== 'REPLAY_STORE_LOCKED') return failure
  const holder = wardenThatOpened(path)
  return holder === undefined ? failure : running(holder, `it has REPLAY_DB ${path} open`).failure
}

function running(pid: number | undefined, how: string) {
  return refuse('INSTANCE_RUNNING', `pid ${pid ?? 'unknown'}: ${how}`)
}

/** An old file may hold a number that another process has now. */
function wardenNamedIn(file: string): number | undefined {
  try {
    const read = readServerFile(file, 20)
    const [number] = /^[0-9]{1,10}(?=\n?$)/.exec((read.ok ? read.value : undefined) ?? '') ?? []
    const pid = Number(number)
    return number !== undefined && pid !== process.pid && isWarden(pid) ? pid : undefined
  } catch {
    return undefined
  }
}

function wardenThatOpened(file: string): number | undefined {
  try {
    const { dev, ino } = statSync(systemPath(file))
    return readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name))
      .map(Number)
      .find((pid) => pid !== process.pid && isWarden(pid) && hasOpen(pid, dev, ino))
  } catch {
    return undefined
  }
}

function hasOpen(pid: number, dev: number, ino: number): boolean {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).some((fd) => {
    try {
      if (!readlinkSync(`${folder}/${fd}`).startsWith('/')) return false
      const stat = statSync(`${folder}/${fd}`)
      return stat.dev === dev && stat.ino === ino
    } catch {
      return false
    }
  })
}

/** A process chooses its own title. So it must also be of root or of this user, who could stop this server anyway. */
function isWarden(pid: number): boolean {
  try {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '')
    if (title !== WARDEN_TITLE && title !== FWKNOPD_TITLE) return false
    // All four: a program that a user starts as root by its set-user-ID bit gets its title from that user.
    const ids = userIds(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return ids.length === 4 && ids.every((id) => [0, process.geteuid?.()].includes(id))
  } catch {
    return false
  }
}
