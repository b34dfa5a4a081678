/** What the doctor examines, besides the facts about this host. */
import type { PlanOptions } from '../../client/plan-options.ts'
import type { ConfigSource } from '../../config/load.ts'
import type { Result } from '../../result.ts'
import type { Looker } from '../looker.ts'

/** The units beside that of the server. */
export const UNITS_BESIDE = [
  'ghostport-receiver@.service',
  'ghostport-receiver.socket',
  'ghostport-helper@.service',
  'ghostport-helper.socket',
] as const
export type UnitBeside = (typeof UNITS_BESIDE)[number]

export interface Subject {
  readonly looker: Looker
  /** Where the server's files are. */
  readonly server: ConfigSource
  /** The unit that `ghostport unit` prints here for these files. */
  readonly printedUnit: (settings: string, stanzas: string, name?: UnitBeside) => Promise<Result<string>>
  /** The options that say which rc file and which stanza. */
  readonly client: PlanOptions
  /** Today, in milliseconds since 1970. */
  readonly now: number
}
