/**
 * Starts a program in a session of its own, so that it has no terminal of ours. It gets nothing of this process but the
 * descriptors in its options. It has the normal priority, unless a knock waits for it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { keepToOurselves } from './keep-to-ourselves.ts'
import { preferAsWarden, withoutPreference } from './priority.ts'

export interface ApartOptions extends Omit<SpawnOptions, 'detached'> {
  /** A knock waits for it: it has the priority of this process, which is the warden. */
  readonly isPreferred?: boolean
}

/** @throws Error as `spawn` of node:child_process. */
export function spawnApart(file: string, args: readonly string[], options: ApartOptions): ChildProcess {
  const { isPreferred = false, ...others } = options
  keepToOurselves()
  const child = spawn(file, [...args], { ...others, detached: true })
  if (isPreferred) preferAsWarden(child.pid)
  else withoutPreference(child.pid)
  return child
}
