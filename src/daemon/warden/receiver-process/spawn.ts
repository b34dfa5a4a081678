/** Starts a receiver: with which program, user and descriptors. */
import type { ChildProcess } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { mayMakeCode } from '../../../system/executable-memory.ts'
import { type Account, currentSituation, receiverCommand } from '../../../system/privilege.ts'
import { forbidIoUring } from '../../../system/seccomp.ts'
import { spawnApart } from '../../../system/spawn-apart.ts'
import type { CaptureOrder } from '../../link/protocol.ts'
import { CHANNEL_DESCRIPTOR, captureDescriptor, OWN_SOCKETS_OPTION } from '../../link/receiver-start.ts'

/** This is a source file, or a part of dist/cli/serve.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../receiver/program.ts' : '../daemon/receiver.js', import.meta.url),
)

/** Garbage of the packet path dies young. Without a limit, V8 lets it grow without benefit. Sizes in MB. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=256']
/** Those options of this process without which the code of the others would not load. */
const INHERITED_OPTIONS = /^--(conditions|no-warnings|experimental-strip-types)\b/

const WITHOUT_COMPILER = '--jitless'

/** What each process of ours starts Node with, besides its own limits. */
export function inheritedOptions(): readonly string[] {
  const options = process.execArgv.filter((option) => INHERITED_OPTIONS.test(option))
  // Where the service manager forbids to make code, Node would end at its start.
  if (process.execArgv.includes(WITHOUT_COMPILER) && !mayMakeCode()) options.push(WITHOUT_COMPILER)
  return process.allowedNodeEnvironmentFlags.has('--disable-sigusr1') ? [...options, '--disable-sigusr1'] : options
}

/** A receiver’s process, as a child of this one is: {@link ChildProcess}. */
export interface ReceiverProcess {
  readonly pid?: number | undefined
  readonly exitCode: number | null
  readonly signalCode: NodeJS.Signals | null
  kill(signal: 'SIGKILL'): boolean
  once(event: 'error', listener: (error: Error) => void): unknown
  /** A status of null: it is not known. */
  once(event: 'exit', listener: (status: number | null, signal: NodeJS.Signals | null) => void): unknown
}

export interface SpawnedReceiver {
  readonly child: ReceiverProcess
  /** The warden's end. */
  readonly channel: Duplex
  /** The receiver's standard error. */
  readonly errors: Readable
}

export interface ReceiverStarter {
  /**
   * @param fds of the capture sockets; the warden keeps them too.
   * @param orders how packets come.
   */
  start(fds: readonly number[], orders: readonly CaptureOrder[]): SpawnedReceiver
  /** Whether it will be another user than the warden. */
  readonly separateUser: boolean
  /** The warden is not its parent, and needs no privilege to start it. */
  readonly isElsewhere?: boolean
}

export function receiverStarter(account: Account): ReceiverStarter {
  // If the kernel has no filters, the receiver finds that out too, and reports it.
  forbidIoUring()
  const options = [...inheritedOptions(), ...NODE_OPTIONS]
  const commandFor = (orders: readonly CaptureOrder[]) => {
    const own = orders.some(({ sockets }) => sockets === 'own') ? [OWN_SOCKETS_OPTION] : []
    return receiverCommand([process.execPath, ...options, PROGRAM, ...own], account, currentSituation())
  }
  return {
    separateUser: commandFor([]).separateUser,
    start(fds, orders) {
      const { file, args, options } = commandFor(orders)
      const child = spawnApart(file, args, { ...options, stdio: descriptors(fds), isPreferred: true })
      const channel = child.stdio[CHANNEL_DESCRIPTOR] as unknown as Duplex
      return { child, channel, errors: child.stdio[2] as Readable }
    },
  }
}

function descriptors(fds: readonly number[]): ('ignore' | 'inherit' | 'pipe' | number)[] {
  const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] = ['ignore', 'ignore', 'pipe', 'ignore', 'pipe']
  for (const [n, fd] of fds.entries()) stdio[captureDescriptor(n)] = fd
  return stdio
}
