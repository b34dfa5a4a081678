/** One command at a time changes a file of the configuration. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Failure, type Result, refuse } from '../../result.ts'
import { acquireInstanceLock, type InstanceLock } from '../../system/instance-lock.ts'
import { systemPath } from '../../system/system-path.ts'
import { milliseconds } from '../../units.ts'

const LOCK_TIME = milliseconds(5000)
const LOCK_PAUSE = milliseconds(50)

/**
 * Waits for its turn, some seconds at most. The kernel ends the lock with the process, however that ends.
 * @returns FILE_BUSY if another command keeps the lock; CONFIG_UNWRITABLE if it cannot be made.
 */
export async function lockConfigFile(named: string): Promise<Result<InstanceLock, Failure>> {
  const file = existsSync(systemPath(named)) ? realpathSync(named) : named
  const path = join(dirname(file), `.${basename(file)}.lock`)
  for (const until = performance.now() + LOCK_TIME; ; ) {
    const lock = acquireInstanceLock(path)
    if (lock.ok) return lock
    if (lock.failure.code === 'CONFIG_UNREADABLE')
      return refuse('CONFIG_UNWRITABLE', `${file} cannot be changed: its lock cannot be made: ${lock.failure.detail}`)
    if (lock.failure.code !== 'INSTANCE_RUNNING') return lock
    if (performance.now() > until)
      return refuse('FILE_BUSY', `another command of ghostport is changing ${file} (${lock.failure.detail})`)
    await delay(LOCK_PAUSE)
  }
}
