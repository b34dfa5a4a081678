/** What a stanza may have run: from the lines of a block, and which of them go together. */
import type { AccountName, CommandRule, RunAs } from '../../access/command.ts'
import type { CycleRule } from '../../access/cycle.ts'
import type { AccountSetting, Stanza } from '../../access/stanza.ts'
import { ok, type Refused, type Result, refuse } from '../../result.ts'
import type { Seconds } from '../../units.ts'
import type { ConfigFailure } from '../reading/notice.ts'
import type { LineOfField, StanzaDraft } from './access-settings.ts'
import type { NoticesOfStanza } from './stanza-notices.ts'

/** CMD_REGEX and the settings of ENABLE_CMD_EXEC. */
export function assembleCommands(
  draft: StanzaDraft,
  lineOf: LineOfField,
  notices: NoticesOfStanza,
): Result<Pick<Stanza, 'commands' | 'idleRunAs'>, ConfigFailure> {
  const {
    runsCommands = false,
    usesSudo = false,
    commandUser,
    commandGroup,
    sudoUser,
    sudoGroup,
    commandPattern,
  } = draft
  if (usesSudo && !runsCommands) return needs('usesSudo', 'ENABLE_CMD_EXEC', 'Y', lineOf)
  if (!runsCommands) {
    for (const field of ['commandUser', 'commandGroup', 'sudoUser', 'sudoGroup', 'commandPattern'] as const)
      if (lineOf[field] !== undefined) notices.add('commandsOff', lineOf[field].at)
    const isNamed = commandUser !== undefined || commandGroup !== undefined
    return ok(isNamed ? { idleRunAs: runAs(commandUser, commandGroup) } : {})
  }
  if (commandGroup !== undefined && commandUser === undefined)
    return needs('commandGroup', 'CMD_EXEC_USER', 'NAME', lineOf)
  const at = lineOf.runsCommands?.at
  if (at === undefined) throw new Error('a setting without a line')
  if (commandPattern === undefined) notices.add('anyCommand', at)
  if ((commandUser ?? 'root') === 'root' && !usesSudo) notices.add('commandsOfRoot', at)
  if (!usesSudo)
    for (const field of ['sudoUser', 'sudoGroup'] as const)
      if (lineOf[field] !== undefined) notices.add('sudoOff', lineOf[field].at)
  const commands: CommandRule = {
    runAs: runAs(commandUser, commandGroup),
    ...(usesSudo && { sudo: runAs(sudoUser, sudoGroup) }),
    ...(commandPattern !== undefined && { pattern: commandPattern }),
  }
  return ok({ commands })
}

/**
 * CMD_CYCLE_OPEN and the settings that belong to it.
 * @param timeout FW_ACCESS_TIMEOUT, or its default: for a cycle without a close.
 */
export function assembleCycle(
  draft: StanzaDraft,
  lineOf: LineOfField,
  timeout: Seconds,
  notices: NoticesOfStanza,
): Result<Pick<Stanza, 'cycle'>, ConfigFailure> {
  const { cycleOpen: open, cycleClose: close, cycleTimer: timer, cycleUser, cycleGroup } = draft
  if (open === undefined) {
    for (const field of ['cycleClose', 'cycleTimer', 'cycleUser', 'cycleGroup'] as const)
      if (lineOf[field] !== undefined) return needs(field, 'CMD_CYCLE_OPEN', '/PATH/PROGRAM $SRC $PORT', lineOf)
    return ok({})
  }
  if (close === undefined) return needs('cycleOpen', 'CMD_CYCLE_CLOSE', 'NONE', lineOf)
  if (close !== 'none' && timer === undefined) return needs('cycleClose', 'CMD_CYCLE_TIMER', '30', lineOf)
  if (cycleGroup !== undefined && cycleUser === undefined) return needs('cycleGroup', 'CMD_CYCLE_USER', 'NAME', lineOf)
  if (close === 'none' && lineOf.cycleTimer !== undefined) notices.add('timerUnused', lineOf.cycleTimer.at)
  const cycle: CycleRule = {
    open,
    ...(close !== 'none' && { close }),
    timer: timer ?? timeout,
    runAs: runAs(cycleUser, cycleGroup),
  }
  return ok({ cycle })
}

const ACCOUNTS = {
  commandUser: 'CMD_EXEC_USER',
  commandGroup: 'CMD_EXEC_GROUP',
  sudoUser: 'CMD_SUDO_EXEC_USER',
  sudoGroup: 'CMD_SUDO_EXEC_GROUP',
  cycleUser: 'CMD_CYCLE_USER',
  cycleGroup: 'CMD_CYCLE_GROUP',
} as const satisfies Partial<Record<keyof StanzaDraft, AccountSetting>>

/** Where the stanza names users and groups. */
export function accountLines(lineOf: LineOfField): Pick<Stanza, 'accountLines'> {
  const lines = Object.entries(ACCOUNTS).flatMap(([field, setting]) => {
    const line = lineOf[field as keyof typeof ACCOUNTS]
    return line === undefined ? [] : [[setting, line.at] as const]
  })
  return lines.length === 0 ? {} : { accountLines: Object.fromEntries(lines) }
}

function runAs(user: AccountName | undefined, group: AccountName | undefined): RunAs {
  return { ...(user !== undefined && { user }), ...(group !== undefined && { group }) }
}

function needs(field: keyof StanzaDraft, other: string, value: string, lineOf: LineOfField): Refused<ConfigFailure> {
  const line = lineOf[field]
  return refuse('CONFIG_CONFLICT', `${line?.name ?? field} cannot be used without also setting ${other}`, {
    ...(line !== undefined && { at: line.at }),
    suggestion: `${other} ${value}`,
  })
}
