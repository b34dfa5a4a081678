/** Starts a GnuPG process: with which program, user and descriptors. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { keepToOurselves } from '../../../system/keep-to-ourselves.ts'
import { type Account, currentSituation, receiverCommand } from '../../../system/privilege.ts'
import { GNUPG_CHANNEL } from '../../link/gnupg-protocol.ts'
import { inheritedOptions } from '../receiver-process/spawn.ts'

/** This is a source file, or a part of dist/cli/serve.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../gnupg/program.ts' : '../daemon/gnupg.js', import.meta.url),
)
/** In MB. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=128']

export interface SpawnedGnupg {
  readonly child: ChildProcess
  /** The warden’s end. */
  readonly channel: Duplex
  readonly errors: Readable
}

/** @param requests the end of the sockets to the receiver. */
export function spawnGnupg(account: Account, requests: number): SpawnedGnupg {
  keepToOurselves()
  const program = [process.execPath, ...inheritedOptions(), ...NODE_OPTIONS, PROGRAM] as const
  const { file, args, options } = receiverCommand(program, account, currentSituation())
  const stdio = ['ignore', 'ignore', 'pipe', 'ignore', 'pipe', requests] as const
  // A session of its own: it has no terminal of ours, and all that it starts ends with its group.
  const child = spawn(file, [...args], { ...options, stdio: [...stdio], detached: true })
  return { child, channel: child.stdio[GNUPG_CHANNEL] as unknown as Duplex, errors: child.stdio[2] as Readable }
}
