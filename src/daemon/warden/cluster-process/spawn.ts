/** Starts a cluster process: with which program, user and descriptors. */
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Account, currentSituation, receiverCommand } from '../../../system/privilege.ts'
import { spawnApart } from '../../../system/spawn-apart.ts'
import { CLUSTER_CHANNEL } from '../../link/cluster-protocol.ts'
import { connectProcess, failedStart } from '../receiver-process/connected-process.ts'
import { HELPER_SOCKET_CURE } from '../receiver-process/helpers.ts'
import { inheritedOptions, type SpawnedReceiver } from '../receiver-process/spawn.ts'

/** This is a source file, or a part of dist/cli/serve.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../cluster/program.ts' : '../daemon/cluster.js', import.meta.url),
)
/** In MB. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=96']

export type SpawnedCluster = SpawnedReceiver

/** By systemd. @param helpers its socket. */
export function clusterBySocket(helpers: string): SpawnedCluster {
  try {
    return connectProcess(helpers, [], 'cluster')
  } catch (error) {
    return failedStart(new Error(`${(error as Error).message}. ${HELPER_SOCKET_CURE}`))
  }
}

export function spawnCluster(account: Account): SpawnedCluster {
  const program = [process.execPath, ...inheritedOptions(), ...NODE_OPTIONS, PROGRAM] as const
  const { file, args, options } = receiverCommand(program, account, currentSituation())
  const child = spawnApart(file, args, { ...options, stdio: ['ignore', 'ignore', 'pipe', 'pipe'], isPreferred: true })
  return { child, channel: child.stdio[CLUSTER_CHANNEL] as unknown as Duplex, errors: child.stdio[2] as Readable }
}
