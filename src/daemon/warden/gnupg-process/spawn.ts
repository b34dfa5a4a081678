/** Starts a GnuPG process: with which program, user and descriptors. */
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Account, currentSituation, receiverCommand } from '../../../system/privilege.ts'
import { spawnApart } from '../../../system/spawn-apart.ts'
import { GNUPG_CHANNEL } from '../../link/gnupg-protocol.ts'
import { connectProcess, failedStart } from '../receiver-process/connected-process.ts'
import { HELPER_SOCKET_CURE } from '../receiver-process/helpers.ts'
import { inheritedOptions, type SpawnedReceiver } from '../receiver-process/spawn.ts'

/** This is a source file, or a part of dist/cli/serve.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../gnupg/program.ts' : '../daemon/gnupg.js', import.meta.url),
)
/** In MB. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=128']

export type SpawnedGnupg = SpawnedReceiver

/** By systemd. @param helpers its socket. @param requests as for {@link spawnGnupg}. */
export function gnupgBySocket(helpers: string, requests: number): SpawnedGnupg {
  try {
    return connectProcess(helpers, [requests], 'gnupg')
  } catch (error) {
    return failedStart(new Error(`${(error as Error).message}. ${HELPER_SOCKET_CURE}`))
  }
}

/** @param requests the end of the sockets to the receiver. */
export function spawnGnupg(account: Account, requests: number): SpawnedGnupg {
  const program = [process.execPath, ...inheritedOptions(), ...NODE_OPTIONS, PROGRAM] as const
  const { file, args, options } = receiverCommand(program, account, currentSituation())
  const stdio = ['ignore', 'ignore', 'pipe', 'ignore', 'pipe', requests] as const
  // All that it starts ends with its group.
  const child = spawnApart(file, args, { ...options, stdio: [...stdio] })
  return { child, channel: child.stdio[GNUPG_CHANNEL] as unknown as Duplex, errors: child.stdio[2] as Readable }
}
