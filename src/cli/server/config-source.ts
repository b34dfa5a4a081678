/** The options that say where the server’s configuration is. All commands that read it share them. */
import { resolve } from 'node:path'
import type { ConfigSource } from '../../config/load.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

export const configFileOptions = {
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  'access-file': { short: 'a', value: 'FILE', help: 'the stanzas (ACCESS_FILE, or access.conf beside the settings)' },
} as const

/** `-c` */
export const DEFAULT_CONFIG = '/etc/fwknop/fwknopd.conf'

/** @returns where the files are; CONFIG_UNREADABLE for a relative path where the working directory is gone. */
export function configFiles(given: {
  readonly 'config-file': string | undefined
  readonly 'access-file': string | undefined
}): Result<Pick<ConfigSource, 'server' | 'access'>, Failure<'CONFIG_UNREADABLE'>> {
  const server = fromHere(given['config-file'] ?? DEFAULT_CONFIG)
  if (!server.ok || given['access-file'] === undefined) return server.ok ? ok({ server: server.value }) : server
  const access = fromHere(given['access-file'])
  return access.ok ? ok({ server: server.value, access: access.value }) : access
}

/** @returns the path from the root; CONFIG_UNREADABLE for a relative one where the working directory is gone. */
export function fromHere(path: string): Result<string, Failure<'CONFIG_UNREADABLE'>> {
  try {
    return ok(resolve(path))
  } catch {
    return refuse(
      'CONFIG_UNREADABLE',
      `${path} is relative, but the working directory no longer exists: give the path from /`,
    )
  }
}
