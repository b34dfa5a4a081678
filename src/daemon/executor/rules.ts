/** The rules of the configuration that the executor carries out, as it reads them by itself. */
import type { CommandRule, CommandSettings } from '../../access/command.ts'
import type { CycleRule } from '../../access/cycle.ts'
import { type RuleKey, ruleKey } from '../../access/rule-key.ts'
import { type ConfigSource, loadConfig } from '../../config/load.ts'
import type { HookConfig } from '../../config/server/hook-settings.ts'
import { ledgerPath } from '../../config/server/server-config.ts'
import { ok, type Result } from '../../result.ts'
import { diskFiles } from '../warden/config-files-on-disk.ts'

/** What one reading of the files allows. */
export interface Rules {
  readonly settings: CommandSettings
  readonly commands: ReadonlyMap<RuleKey, CommandRule>
  readonly cycles: ReadonlyMap<RuleKey, CycleRule>
  readonly hooks: HookConfig | undefined
  /** The file of the closes that are owed. */
  readonly ledger: string
}

/** Keeps nothing else of the configuration, in particular no keys. */
export function readRules(source: ConfigSource): Result<Rules> {
  const loaded = loadConfig(diskFiles(process.getuid?.() ?? 0), source)
  if (!loaded.ok) return loaded
  const { policy, server } = loaded.value
  const commands = policy.stanzas.flatMap(({ commands }) => (commands === undefined ? [] : [commands]))
  const cycles = policy.stanzas.flatMap(({ cycle }) => (cycle === undefined ? [] : [cycle]))
  return ok({
    settings: server.commands,
    commands: new Map(commands.map((rule) => [ruleKey(rule), rule])),
    cycles: new Map(cycles.map((rule) => [ruleKey(rule), rule])),
    hooks: server.hooks,
    ledger: ledgerPath(server),
  })
}
