/** Programs and folders that the command line names: what is not there is told, even if no stanza uses it. */
import { statSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { isExecutable } from '../../system/privilege.ts'
import { fromHere } from '../server/config-source.ts'
import type { Given } from './options.ts'

/** @returns CLI_USAGE with the option; CONFIG_UNREADABLE where there is no working directory. */
export function checkNamedPaths(given: Given): Result<void, Failure<'CLI_USAGE' | 'CONFIG_UNREADABLE'>> {
  for (const option of ['gpg-exe', 'sudo-exe'] as const) {
    const path = fromHere(given[option] ?? '/')
    if (!path.ok) return path
    if (given[option] !== undefined && !isExecutable(path.value))
      return refuse('CLI_USAGE', `--${option}: ${path.value} is not a program that can be run`)
  }
  const home = fromHere(given['gpg-home-dir'] ?? '/')
  if (!home.ok) return home
  const why = whyNoFolder(home.value)
  return why === undefined ? ok(undefined) : refuse('CLI_USAGE', `--gpg-home-dir: ${home.value}: ${why}`)
}

function whyNoFolder(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? undefined : 'it is not a folder'
  } catch (error) {
    return systemReason(error)
  }
}
