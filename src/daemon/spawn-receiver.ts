/** Starts a receiver: which program, as whom, with which descriptors. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Libc, libc } from '../capture/libc.ts'
import { canRead } from './become.ts'
import {
  type Account,
  CHANNEL_DESCRIPTOR,
  captureDescriptor,
  currentSituation,
  receiverCommand,
  type Situation,
} from './privilege.ts'

/** Beside this file, in the source tree and in the compiled package alike. */
const PROGRAM = fileURLToPath(import.meta.url).replace(/spawn-receiver\.(ts|js)$/, 'receiver.$1')

/** Garbage of the packet path dies young; without a limit V8 lets it grow for no gain. Sizes in MB. */
const NODE_OPTIONS = ['--max-semi-space-size=2', '--max-old-space-size=256']

export interface SpawnedReceiver {
  readonly child: ChildProcess
  /** The warden's end. */
  readonly channel: Duplex
}

export interface ReceiverStarter {
  /** @param fds of the capture sockets; they stay the warden's as well. */
  start(fds: readonly number[]): SpawnedReceiver
  /** Whether it will be another user than the warden. */
  readonly separateUser: boolean
}

export function receiverStarter(account: Account): ReceiverStarter {
  const situation = currentSituation()
  const node = [process.execPath, ...process.execArgv, ...NODE_OPTIONS, PROGRAM] as const
  const mayRead = [process.execPath, PROGRAM].every((file) => canRead(account, file))
  const direct = receiverCommand([...node], account, situation)
  const becomes = direct.separateUser && !mayRead
  const command = becomes ? becomingCommand(node, account, situation) : direct
  const options = { ...direct.options, ...(becomes ? { uid: undefined, gid: undefined } : {}) }
  return {
    separateUser: direct.separateUser,
    start(fds) {
      keepToOurselves()
      const child = spawn(command.file, [...command.args], { ...options, stdio: descriptors(fds) })
      return { child, channel: child.stdio[CHANNEL_DESCRIPTOR] as unknown as Duplex }
    },
  }
}

/** Starts as root, with no more of root’s powers than it takes to read the program, to change user, and to drop even these. */
function becomingCommand(
  [node, ...words]: readonly string[],
  { uid, gid }: Account,
  { setpriv, mayDropBounding }: Situation,
) {
  const program = [node ?? process.execPath, ...words, '--become', `${uid}:${gid}`]
  const bounding = mayDropBounding ? ['--bounding-set=-all,+setuid,+setgid,+setpcap,+dac_read_search'] : []
  const [file = '', ...args] =
    setpriv === undefined
      ? program
      : [setpriv, '--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs', ...bounding, '--', ...program]
  return { file, args }
}

const F_SETFD = 2
const FD_CLOEXEC = 1
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4

/**
 * Nothing that this process holds goes to the receiver but what is handed to it. Node opens all of its own descriptors that
 * way; libraries do not (libmnl's socket to the firewall), nor does whoever started us. And where a service manager gave this process
 * its capabilities as ambient ones, each program that it starts would have them too.
 */
function keepToOurselves(): void {
  let native: Libc
  try {
    native = libc()
  } catch {
    return // Nothing native is loaded here, so nothing native has opened anything.
  }
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) native.fcntl(fd, F_SETFD, FD_CLOEXEC)
  native.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}

function descriptors(fds: readonly number[]): ('ignore' | 'inherit' | 'pipe' | number)[] {
  const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] = ['ignore', 'ignore', 'inherit', 'ignore', 'pipe']
  for (const [n, fd] of fds.entries()) stdio[captureDescriptor(n)] = fd
  return stdio
}
