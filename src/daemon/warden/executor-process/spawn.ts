/** Starts an executor: with which program and descriptors. It keeps all privilege of the service. */
import type { ChildProcess } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { ConfigSource } from '../../../config/load.ts'
import { spawnApart } from '../../../system/spawn-apart.ts'
import { EXECUTOR_CHANNEL } from '../../link/executor-protocol.ts'
import { inheritedOptions } from '../receiver-process/spawn.ts'

/** This is a source file, or a part of dist/cli/serve.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../executor/program.ts' : '../daemon/executor.js', import.meta.url),
)
/** In MB. The output of programs passes through it. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=128']

export interface SpawnedExecutor {
  readonly child: ChildProcess
  /** The warden’s end. */
  readonly channel: Duplex
  readonly errors: Readable
}

/** @param helpers the socket by which systemd starts helpers. */
export function spawnExecutor(source: ConfigSource, helpers?: string): SpawnedExecutor {
  const words = [...inheritedOptions(), ...NODE_OPTIONS, PROGRAM, '--source', JSON.stringify(source)]
  if (helpers !== undefined) words.push('--helpers', helpers)
  const { TZ: zone } = process.env
  const child = spawnApart(process.execPath, words, {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', ...(zone !== undefined && { TZ: zone }) },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  return { child, channel: child.stdio[EXECUTOR_CHANNEL] as unknown as Duplex, errors: child.stdio[2] as Readable }
}
