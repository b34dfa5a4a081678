/** What can be wrong with a configuration, in whichever file. */
import type { Failure } from '../../result.ts'

export type ConfigFailure = Failure<
  | 'CONFIG_UNREADABLE'
  | 'CONFIG_EXPOSED'
  | 'CONFIG_SYNTAX'
  | 'CONFIG_UNKNOWN_KEY'
  | 'CONFIG_UNSUPPORTED_KEY'
  | 'CONFIG_INVALID_VALUE'
  | 'CONFIG_MISSING_KEY'
  | 'CONFIG_CONFLICT'
  | 'KEY_INVALID'
>
