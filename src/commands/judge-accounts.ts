/** Whether the users and groups that the settings name are on this host. */
import type { RunAs } from '../access/command.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type Failure, ok, type Result } from '../result.ts'
import { type AccountFiles, findGroup, findLogin, findProgramGroup, readAccountFiles } from './accounts.ts'

/** The settings behind each {@link RunAs}. */
const NAMES = {
  exec: { user: 'CMD_EXEC_USER', group: 'CMD_EXEC_GROUP' },
  cycle: { user: 'CMD_CYCLE_USER', group: 'CMD_CYCLE_GROUP' },
  hook: { user: 'HOOK_USER', group: 'HOOK_GROUP' },
  sudo: { user: 'CMD_SUDO_EXEC_USER', group: 'CMD_SUDO_EXEC_GROUP' },
} as const

/** @returns CONFIG_INVALID_VALUE for each name that is not there, at its line. */
export function missingAccounts({
  policy,
  server,
  at: places,
}: Pick<LoadedConfig, 'policy' | 'server' | 'at'>): readonly Failure<'CONFIG_INVALID_VALUE'>[] {
  const { stanzas } = policy
  const { hooks } = server
  const running = stanzas.filter(
    ({ commands, cycle, idleRunAs }) => commands !== undefined || cycle !== undefined || idleRunAs !== undefined,
  )
  if (running.length === 0 && hooks === undefined) return []
  const files = readAccountFiles()
  if (!files.ok) return [files.failure]
  const ofStanzas = running.flatMap(({ commands, cycle, idleRunAs, location, accountLines = {} }) =>
    [
      judge(commands?.runAs ?? idleRunAs ?? {}, NAMES.exec, files.value),
      judge(commands?.sudo ?? {}, NAMES.sudo, files.value),
      judge(cycle?.runAs ?? {}, NAMES.cycle, files.value),
    ].flatMap((missing) =>
      missing === undefined ? [] : [{ ...missing.failure, at: accountLines[missing.setting] ?? location }],
    ),
  )
  const ofHooks = judge(hooks?.runAs ?? {}, NAMES.hook, files.value)
  if (ofHooks === undefined) return ofStanzas
  // HOOK_USER has a default: the line that asks for a hook is then the nearest.
  const { HOOK_GRANT, HOOK_REFUSAL, HOOK_EXPIRY, WEBHOOK_URL } = places
  const at = places[ofHooks.setting] ?? HOOK_GRANT ?? HOOK_REFUSAL ?? HOOK_EXPIRY ?? WEBHOOK_URL
  return [...ofStanzas, { ...ofHooks.failure, ...(at !== undefined && { at }) }]
}

/** For a start: the first of {@link missingAccounts}. */
export function judgeAccounts(
  loaded: Pick<LoadedConfig, 'policy' | 'server' | 'at'>,
): Result<void, Failure<'CONFIG_INVALID_VALUE'>> {
  const [failure] = missingAccounts(loaded)
  return failure === undefined ? ok(undefined) : { ok: false, failure }
}

/** A user or a group that is not there. */
interface Missing<Setting> {
  readonly setting: Setting
  readonly failure: Failure<'CONFIG_INVALID_VALUE'>
}

function judge<Setting extends string>(
  runAs: RunAs,
  names: { readonly user: Setting; readonly group: Setting },
  files: AccountFiles,
): Missing<Setting> | undefined {
  const { user, group } = runAs
  const login = findLogin(user === undefined ? {} : { user }, files)
  if (!login.ok) return named(names.user, login.failure)
  // sudo looks its group up by itself, and among the groups only.
  const find = names === NAMES.sudo ? findGroup : findProgramGroup
  const found = group === undefined ? login : find(group, files)
  return found.ok ? undefined : named(names.group, found.failure)
}

function named<Setting extends string>(setting: Setting, failure: Failure<'CONFIG_INVALID_VALUE'>): Missing<Setting> {
  return { setting, failure: { ...failure, detail: `${setting}: ${failure.detail}` } }
}
