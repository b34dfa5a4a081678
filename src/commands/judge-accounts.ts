/** Whether the users and groups that the settings name are on this host. */
import type { RunAs } from '../access/command.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Notice } from '../config/reading/notice.ts'
import { type Failure, ok, type Result, type SourceLocation } from '../result.ts'
import { type AccountFiles, findGroup, findLogin, findProgramGroup, readAccountFiles } from './accounts.ts'

/** The settings behind each {@link RunAs}. */
const NAMES = {
  exec: { user: 'CMD_EXEC_USER', group: 'CMD_EXEC_GROUP' },
  cycle: { user: 'CMD_CYCLE_USER', group: 'CMD_CYCLE_GROUP' },
  hook: { user: 'HOOK_USER', group: 'HOOK_GROUP' },
  sudo: { user: 'CMD_SUDO_EXEC_USER', group: 'CMD_SUDO_EXEC_GROUP' },
} as const

type Loaded = Pick<LoadedConfig, 'policy' | 'server' | 'at'>

/** Whom the programs of a stanza run as, or the hooks; and where that is set. */
interface Runner {
  readonly runAs: RunAs
  readonly names: (typeof NAMES)[keyof typeof NAMES]
  readonly lines: { readonly [setting: string]: SourceLocation | undefined }
  /** For what no line sets. */
  readonly otherwise: SourceLocation | undefined
}

function runnersOf({ policy, server, at }: Loaded): readonly Runner[] {
  const ofStanzas = policy.stanzas.flatMap(({ commands, cycle, idleRunAs, location, accountLines = {} }) => {
    if (commands === undefined && cycle === undefined && idleRunAs === undefined) return []
    const where = { lines: accountLines, otherwise: location }
    return [
      { runAs: commands?.runAs ?? idleRunAs ?? {}, names: NAMES.exec, ...where },
      { runAs: commands?.sudo ?? {}, names: NAMES.sudo, ...where },
      { runAs: cycle?.runAs ?? {}, names: NAMES.cycle, ...where },
    ]
  })
  if (server.hooks === undefined) return ofStanzas
  // HOOK_USER has a default: the line that asks for a hook is then the nearest.
  const otherwise = at.HOOK_GRANT ?? at.HOOK_REFUSAL ?? at.HOOK_EXPIRY ?? at.WEBHOOK_URL
  return [...ofStanzas, { runAs: server.hooks.runAs, names: NAMES.hook, lines: at, otherwise }]
}

/** @returns CONFIG_INVALID_VALUE for each name that is not there, at its line. */
export function missingAccounts(loaded: Loaded): readonly Failure<'CONFIG_INVALID_VALUE'>[] {
  const runners = runnersOf(loaded)
  if (runners.length === 0) return []
  const files = readAccountFiles()
  if (!files.ok) return [files.failure]
  return runners.flatMap(({ runAs, names, lines, otherwise }) => {
    const missing = judge(runAs, names, files.value)
    if (missing === undefined) return []
    const at = lines[missing.setting] ?? otherwise
    return [{ ...missing.failure, ...(at !== undefined && { at }) }]
  })
}

/** A group that is none, where a user has this name: the user's own group counts. Each name once. */
export function groupsOfUsers(loaded: Loaded): readonly Notice[] {
  const runners = runnersOf(loaded).filter(({ runAs, names }) => runAs.group !== undefined && names !== NAMES.sudo)
  if (runners.length === 0) return []
  const files = readAccountFiles()
  if (!files.ok) return []
  const told = new Map<string, Notice>()
  for (const { runAs, names, lines, otherwise } of runners) {
    const { group } = runAs
    const key = `${names.group} ${group}`
    if (group === undefined || told.has(key) || findGroup(group, files.value).ok) continue
    const at = lines[names.group] ?? otherwise
    const text = `${names.group}: there is no group “${group}”, but a user of this name. The user’s own group is used`
    told.set(key, { level: 'info', text, cure: `${names.group} GROUP`, ...(at !== undefined && { at }) })
  }
  return [...told.values()]
}

/** For a start: the first of {@link missingAccounts}. */
export function judgeAccounts(loaded: Loaded): Result<void, Failure<'CONFIG_INVALID_VALUE'>> {
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
