import { errorCode } from './errno.ts'

/** Whether there is a process with this id here. In a container, those of other containers are not seen. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}
