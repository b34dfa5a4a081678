/** Makes a program wait for its disk: each of its calls of fsync(2) and fdatasync(2) is held up, by strace. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** @param pid with all its threads. @param milliseconds for each call. @returns what ends it. */
export async function slowDisk(pid: number, milliseconds: number): Promise<AsyncDisposable> {
  const inject = `inject=fsync,fdatasync:delay_enter=${milliseconds * 1000}`
  const argv = ['-f', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync', '-e', inject, '-p', `${pid}`]
  const strace = spawn('strace', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  // It says so when it is attached; or ends, where the program has ended.
  await Promise.race([once(strace.stderr, 'data'), once(strace, 'exit')])
  strace.stderr.resume()
  return {
    async [Symbol.asyncDispose]() {
      if (strace.exitCode !== null || strace.signalCode !== null) return
      strace.kill('SIGTERM')
      await once(strace, 'exit')
    },
  }
}
