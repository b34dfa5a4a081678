/** `fwknopd -K`, `-R` and `-S`: what is told to, and asked of, the fwknopd that runs. */
import { setTimeout as delay } from 'node:timers/promises'
import { refuse } from '../../result.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import { type Holder, holderOf } from '../../system/pid-file.ts'
import { milliseconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** How long a server may take to shut down. fwknopd waits as long. */
const TO_END = milliseconds(4000)
const TO_BE_KILLED = milliseconds(1000)
const STEP = milliseconds(20)

/**
 * fwknopd asks the number in the file. Here the lock on the file says whether its process runs: an old file never makes
 * this stop another process.
 */
export async function controlRunning(
  given: { readonly kill: number; readonly restart: number },
  pidFile: string,
  terminal: Terminal,
): Promise<Outcome> {
  const holder = holderOf(pidFile)
  if (!holder.ok) return holder
  if (!holder.value.runs) {
    terminal.print('No running fwknopd detected.')
    return 1
  }
  const { pid } = holder.value
  if (pid === undefined)
    return refuse('CONFIG_UNREADABLE', `${pidFile} is locked by a running process, and does not say which one it is`)
  if (given.kill > 0) return stop(pid, pidFile, terminal)
  if (given.restart === 0) {
    terminal.print(`Detected fwknopd is running (pid=${pid}).`)
    return 0
  }
  const problem = signal(pid, 'SIGHUP')
  if (problem !== undefined) return problem
  terminal.print(`Sent restart signal to fwknopd (pid=${pid})`)
  return 0
}

async function stop(pid: number, pidFile: string, terminal: Terminal): Promise<Outcome> {
  for (const [name, patience] of [
    ['SIGTERM', TO_END],
    ['SIGKILL', TO_BE_KILLED],
  ] as const) {
    const problem = signal(pid, name)
    if (problem !== undefined) return problem
    for (let waited = 0; waited <= patience; waited += STEP) {
      const now: Holder | undefined = asked(pidFile)
      if (now !== undefined && (!now.runs || now.pid !== pid)) {
        terminal.print(`Killed fwknopd (pid=${pid}) via ${name}`)
        return 0
      }
      await delay(STEP)
    }
  }
  return refuse('INSTANCE_RUNNING', `fwknopd (pid ${pid}) did not end`)
}

function asked(pidFile: string): Holder | undefined {
  const holder = holderOf(pidFile)
  return holder.ok ? holder.value : undefined
}

/** @returns why the signal was not sent. A process that has just ended is no problem. */
function signal(pid: number, name: 'SIGTERM' | 'SIGKILL' | 'SIGHUP') {
  try {
    process.kill(pid, name)
    return undefined
  } catch (error) {
    if (errorCode(error) === 'ESRCH' && name !== 'SIGHUP') return undefined
    return refuse('PRIVILEGE_MISSING', `${name} cannot be sent to fwknopd (pid ${pid}): ${systemReason(error)}`)
  }
}
