/** Whether the users and groups that the settings name are on this host. */
import type { RunAs } from '../access/command.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type Failure, ok, type Result } from '../result.ts'
import { type AccountFiles, findGroup, findLogin, readAccountFiles } from './accounts.ts'

/** The settings behind each {@link RunAs}. */
const NAMES = {
  exec: { user: 'CMD_EXEC_USER', group: 'CMD_EXEC_GROUP' },
  cycle: { user: 'CMD_CYCLE_USER', group: 'CMD_CYCLE_GROUP' },
  hook: { user: 'HOOK_USER', group: 'HOOK_GROUP' },
  sudo: { user: 'CMD_SUDO_EXEC_USER', group: 'CMD_SUDO_EXEC_GROUP' },
} as const

/** @returns CONFIG_INVALID_VALUE for the first name that is not there, at its stanza or line. */
export function judgeAccounts({
  policy,
  server,
  at: places,
}: Pick<LoadedConfig, 'policy' | 'server' | 'at'>): Result<void, Failure<'CONFIG_INVALID_VALUE'>> {
  const { stanzas } = policy
  const { hooks } = server
  const running = stanzas.filter(({ commands, cycle }) => commands !== undefined || cycle !== undefined)
  if (running.length === 0 && hooks === undefined) return ok(undefined)
  const files = readAccountFiles()
  if (!files.ok) return files
  for (const { commands, cycle, location: at } of running) {
    const missing =
      judge(commands?.runAs ?? {}, NAMES.exec, files.value) ??
      judge(commands?.sudo ?? {}, NAMES.sudo, files.value) ??
      judge(cycle?.runAs ?? {}, NAMES.cycle, files.value)
    if (missing !== undefined) return { ok: false, failure: { ...missing, at } }
  }
  const missing = judge(hooks?.runAs ?? {}, NAMES.hook, files.value)
  const at = places.HOOK_USER ?? places.HOOK_GRANT ?? places.HOOK_REFUSAL ?? places.HOOK_EXPIRY ?? places.WEBHOOK_URL
  return missing === undefined ? ok(undefined) : { ok: false, failure: { ...missing, ...(at !== undefined && { at }) } }
}

function judge(
  runAs: RunAs,
  names: { readonly user: string; readonly group: string },
  files: AccountFiles,
): Failure<'CONFIG_INVALID_VALUE'> | undefined {
  const { user, group } = runAs
  const login = findLogin(user === undefined ? {} : { user }, files)
  if (!login.ok) return named(names.user, login.failure)
  const found = group === undefined ? login : findGroup(group, files)
  return found.ok ? undefined : named(names.group, found.failure)
}

function named(setting: string, failure: Failure<'CONFIG_INVALID_VALUE'>): Failure<'CONFIG_INVALID_VALUE'> {
  return { ...failure, detail: `${setting}: ${failure.detail}` }
}
