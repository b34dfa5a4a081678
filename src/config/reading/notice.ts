/** What the operator should know about a configuration that is accepted. Told at each start and reload. */
import type { SourceLocation } from '../../result.ts'

export interface Notice {
  /** `warning`: something is weaker than it looks. `info`: a setting of fwknop's that has no effect here, and why. */
  readonly level: 'warning' | 'info'
  readonly text: string
  /** What to do about it: one line. */
  readonly cure?: string
  readonly at?: SourceLocation
}
