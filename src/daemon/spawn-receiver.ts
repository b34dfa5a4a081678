/** Starts a receiver: which program, as whom, with which descriptors. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { canRead } from './become.ts'
import { type Account, CHANNEL_DESCRIPTOR, captureDescriptor, currentSituation, receiverCommand } from './privilege.ts'

/** Beside this file, in the source tree and in the compiled package alike. */
const PROGRAM = fileURLToPath(import.meta.url).replace(/spawn-receiver\.(ts|js)$/, 'receiver.$1')

/** Garbage of the packet path dies young; without a limit V8 lets it grow for no gain. Sizes in MB. */
const NODE_OPTIONS = ['--max-semi-space-size=2', '--max-old-space-size=256']

export interface SpawnedReceiver {
  readonly child: ChildProcess
  /** The warden's end. */
  readonly channel: Duplex
}

/**
 * @param fds of the capture sockets; they stay the warden's as well.
 * @returns how to start one, again and again, and whether it will be another user than the warden.
 */
export function receiverStarter(
  account: Account,
  fds: readonly number[],
): { start: () => SpawnedReceiver; separateUser: boolean } {
  const situation = currentSituation()
  const node = [process.execPath, ...process.execArgv, ...NODE_OPTIONS, PROGRAM] as const
  const mayRead = [process.execPath, PROGRAM].every((file) => canRead(account, file))
  const direct = receiverCommand([...node], account, situation)
  const becomes = direct.separateUser && !mayRead
  const command = becomes
    ? { ...direct, file: node[0], args: [...node.slice(1), '--become', `${account.uid}:${account.gid}`] }
    : direct
  const { uid: _uid, gid: _gid, ...asRoot } = command.options
  const options = becomes ? asRoot : command.options
  return {
    separateUser: direct.separateUser,
    start() {
      const child = spawn(command.file, [...command.args], { ...options, stdio: descriptors(fds) })
      return { child, channel: child.stdio[CHANNEL_DESCRIPTOR] as unknown as Duplex }
    },
  }
}

function descriptors(fds: readonly number[]): ('ignore' | 'inherit' | 'pipe' | number)[] {
  const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] = ['ignore', 'ignore', 'inherit', 'ignore', 'pipe']
  for (const [n, fd] of fds.entries()) stdio[captureDescriptor(n)] = fd
  return stdio
}
