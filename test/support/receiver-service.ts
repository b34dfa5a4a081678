/**
 * What systemd does for the units of the receiver, without systemd: listens on a socket, and starts a program for each
 * connection, as a user without any privilege. The connection is its descriptor 3.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../../src/system/libc.ts'
import { forbidIoUring } from '../../src/system/seccomp.ts'
import { socketAddress } from '../../src/system/unix-datagram.ts'

/** An id that no other process of the tests has. */
export const SERVICE_UID = 60_950
const PROGRAM = fileURLToPath(new URL('../../src/daemon/receiver/program.ts', import.meta.url))
const UNPRIVILEGED = [
  ...[`--reuid=${SERVICE_UID}`, `--regid=${SERVICE_UID}`, '--clear-groups', '--no-new-privs'],
  ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--'],
]

export interface ReceiverService {
  /** All that were started. */
  readonly started: readonly ChildProcess[]
  /** What they wrote to the standard error that they began with. */
  readonly errors: string
  close(): void
}

/** The real receiver. */
export const REAL_RECEIVER: readonly string[] = [
  ...[process.execPath, '--conditions=ghostport-source', '--disable-sigusr1', PROGRAM, '--from-socket'],
]

/** @param argvFor the n-th start, from 0. @param asRoot without giving up any privilege. */
export function receiverService(
  path: string,
  argvFor: (n: number) => readonly string[] = () => REAL_RECEIVER,
  asRoot = false,
): ReceiverService {
  const native = libc()
  // As the unit does.
  forbidIoUring()
  const listener = native.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  const address = socketAddress(path)
  if (address === undefined || native.bind(listener, address, address.length) !== 0 || native.listen(listener, 8) !== 0)
    throw new Error(`cannot listen on ${path}`)
  chmodSync(path, 0o600)
  const started: ChildProcess[] = []
  let errors = ''
  const timer = setInterval(() => {
    const fd = native.accept4(listener, null, null, SOCK_CLOEXEC)
    if (fd < 0) return
    const argv = asRoot ? argvFor(started.length) : ['setpriv', ...UNPRIVILEGED, ...argvFor(started.length)]
    const [file = '', ...args] = argv
    const child = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LISTEN_FDS: '1', GHOSTPORT_FROM_SOCKET: '1' },
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    // As systemd ends what is left in the control group of a unit.
    child.once('exit', () => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL')
      } catch {
        // Nothing is left.
      }
    })
    started.push(child)
    native.close(fd)
  }, 5)
  return {
    started,
    get errors() {
      return errors
    },
    close() {
      clearInterval(timer)
      native.close(listener)
      for (const child of started) child.kill('SIGKILL')
    },
  }
}
