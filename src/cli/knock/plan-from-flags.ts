/** From flags to the plan of a knock, for `knock`, `ssh` and `proxy`. */
import { type Hints, type PlannedKnock, planKnock as planOptions } from '../../client/plan.ts'
import type { Failure, Result } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type KnockOptionValues, knockFlags } from './knock-flags.ts'
import { secretsFrom } from './secrets.ts'

/**
 * @returns all that a knock needs, or the first thing that is wrong or missing. Keys that are missing are asked for.
 */
export async function planKnock(
  given: KnockOptionValues,
  terminal: Terminal,
  hints: Hints = {},
): Promise<Result<PlannedKnock, Failure>> {
  const flags = knockFlags(given)
  if (!flags.ok) return flags
  const ask = secretsFrom(given, terminal)
  if (!ask.ok) return ask
  const { options, besides } = flags.value
  const planned = await planOptions(options, ask.value, { ...hints, besides })
  const own = planned.ok ? planned.value.ownAddress : undefined
  if (own !== undefined) terminal.note((await import('./own-address-notes.ts')).ownAddressNotes(own))
  return planned
}
