/** Starts a cluster process: with which program, user and descriptors. */
import { spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { keepToOurselves } from '../../../system/keep-to-ourselves.ts'
import { preferAsWarden } from '../../../system/priority.ts'
import { type Account, currentSituation, receiverCommand } from '../../../system/privilege.ts'
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
  keepToOurselves()
  const program = [process.execPath, ...inheritedOptions(), ...NODE_OPTIONS, PROGRAM] as const
  const { file, args, options } = receiverCommand(program, account, currentSituation())
  const child = spawn(file, [...args], { ...options, stdio: ['ignore', 'ignore', 'pipe', 'pipe'], detached: true })
  preferAsWarden(child.pid)
  return { child, channel: child.stdio[CLUSTER_CHANNEL] as unknown as Duplex, errors: child.stdio[2] as Readable }
}
