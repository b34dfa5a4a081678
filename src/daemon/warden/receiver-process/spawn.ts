/** Starts a receiver: which program, as whom, with which descriptors. */
import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { keepToOurselves } from '../../../system/keep-to-ourselves.ts'
import { type Account, currentSituation, receiverCommand } from '../../../system/privilege.ts'
import { forbidIoUring } from '../../../system/seccomp.ts'
import type { CaptureOrder } from '../../link/protocol.ts'
import { CHANNEL_DESCRIPTOR, captureDescriptor, OWN_SOCKETS_OPTION } from '../../link/receiver-start.ts'

/** This is a file of the source, or a part of dist/cli/serve.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../receiver/program.ts' : '../daemon/receiver.js', import.meta.url),
)

/** Garbage of the packet path dies young; without a limit V8 lets it grow for no gain. Sizes in MB. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=256']
/** Of this process's own options, those without which the receiver's code would not load. */
const INHERITED_OPTIONS = /^--(conditions|no-warnings|experimental-strip-types)\b/
export interface SpawnedReceiver {
  readonly child: ChildProcess
  /** The warden's end. */
  readonly channel: Duplex
  /** What the receiver writes to its standard error. */
  readonly errors: Readable
}

export interface ReceiverStarter {
  /**
   * @param fds of the capture sockets; they stay the warden's as well.
   * @param orders how packets come.
   */
  start(fds: readonly number[], orders: readonly CaptureOrder[]): SpawnedReceiver
  /** Whether it will be another user than the warden. */
  readonly separateUser: boolean
}

export function receiverStarter(account: Account): ReceiverStarter {
  // Where the kernel has no filters, the receiver finds that out too, and says so.
  forbidIoUring()
  const options = [...process.execArgv.filter((option) => INHERITED_OPTIONS.test(option)), ...NODE_OPTIONS]
  if (process.allowedNodeEnvironmentFlags.has('--disable-sigusr1')) options.push('--disable-sigusr1')
  const commandFor = (orders: readonly CaptureOrder[]) => {
    const own = orders.some(({ sockets }) => sockets === 'own') ? [OWN_SOCKETS_OPTION] : []
    return receiverCommand([process.execPath, ...options, PROGRAM, ...own], account, currentSituation())
  }
  return {
    separateUser: commandFor([]).separateUser,
    start(fds, orders) {
      keepToOurselves()
      const { file, args, options } = commandFor(orders)
      // A session of its own: no terminal of ours is one of its.
      const child = spawn(file, [...args], { ...options, stdio: descriptors(fds), detached: true })
      preferred(child.pid)
      const channel = child.stdio[CHANNEL_DESCRIPTOR] as unknown as Duplex
      return { child, channel, errors: child.stdio[2] as Readable }
    },
  }
}

/**
 * How much a receiver is preferred to other work of the machine: nice(2). Its one thread gets one share of a busy processor, and
 * a knock is late when that share is small.
 */
const NICENESS = -10

function preferred(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, NICENESS)
  } catch {
    // Without the privilege it has the share that others have, or that the service manager gave both processes.
  }
}

function descriptors(fds: readonly number[]): ('ignore' | 'inherit' | 'pipe' | number)[] {
  const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] = ['ignore', 'ignore', 'pipe', 'ignore', 'pipe']
  for (const [n, fd] of fds.entries()) stdio[captureDescriptor(n)] = fd
  return stdio
}
