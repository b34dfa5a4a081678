/** What is told of a configuration: why it is refused, or what its operator should know about it. */
import type { Failure, SourceLocation } from '../../result.ts'

/** Why a configuration is refused, in any of its files. */
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

/** About a configuration that is accepted. Told at each start and reload. */
export interface Notice {
  /** `warning`: something is weaker than it looks. `info`: a setting of fwknop's that has no effect here, and why. */
  readonly level: 'warning' | 'info'
  readonly text: string
  /** What to do about it: one line. */
  readonly cure?: string
  readonly at?: SourceLocation
  /** For programs. Only notices about the host's own firewall have one (`firewall/host/findings.ts`). */
  readonly code?: string
}
