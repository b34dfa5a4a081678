/** What a hook tells: the fields of the log that are of use outside, and no others. */
import { either, integer, list, literal, mapped, type Reader, record, text } from '../../json-reader.ts'
import { type Seconds, seconds } from '../../units.ts'

export interface HookEvent {
  readonly event: 'grant' | 'refusal' | 'expiry'
  /** RFC 3339, UTC. */
  readonly time: string
  /** The number of the stanza; its NAME. */
  readonly stanza?: number
  readonly name?: string
  /** The user name in the packet. */
  readonly user?: string
  /** Whom it is, or was, open for. */
  readonly for?: string
  /** Where the packet came from. */
  readonly source?: string
  /** `tcp/22`, `tcp/443→10.0.0.5:8443`. */
  readonly open?: readonly string[]
  readonly seconds?: Seconds
  /** The text of a command. */
  readonly command?: string
  /** For a refusal: the failure code, and what it says. For an expiry that came early: why. */
  readonly code?: string
  readonly detail?: string
  /** The other node of the cluster that granted it, or where it was ended. Absent: this server itself. */
  readonly node?: string
  /** For a refusal: how many others were not told before this one. */
  readonly untold?: number
}

const MAX = Number.MAX_SAFE_INTEGER
const line = text({ max: 1000 })
const count = integer({ min: 0, max: MAX })

export const hookEvent: Reader<HookEvent> = record(
  { event: either(literal('grant'), literal('refusal'), literal('expiry')), time: text({ max: 40 }) },
  {
    ...{ name: line, user: line, for: line, source: line, command: line, code: line, detail: line, node: line },
    ...{ stanza: count, untold: count, seconds: mapped(count, seconds), open: list(line, { min: 0, max: 100 }) },
  },
)
