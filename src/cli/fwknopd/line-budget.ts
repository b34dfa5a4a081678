/**
 * Keeps refusals from filling the log. LOG_LIMIT limits their number, but one that eight stanzas have tried has sixteen
 * lines. Where there are too many lines, such a refusal tells of its first stanza only: filters of the log still find a
 * line of each kind for each packet.
 */

import type { LogField, LogLevel } from '../../log.ts'
import { type Rate, TokenBucket } from '../../token-bucket.ts'
import type { Milliseconds } from '../../units.ts'
import { fwknopdLines, type LineContext, type LogLine } from './log-lines.ts'

/** Lines of a refusal that tells of one stanza; and of one that tells of eight. */
const FEWEST_LINES = 2
const MOST_LINES = 16

/** @param refusalsPerSecond LOG_LIMIT. Twice as many may come at once. */
function lineRate(refusalsPerSecond: number): Rate {
  const perSecond = FEWEST_LINES * refusalsPerSecond
  return { perSecond, burst: 2 * perSecond + MOST_LINES }
}

/** Time is an argument, as for {@link TokenBucket}. */
export class LineBudget {
  readonly #left: TokenBucket

  constructor(refusalsPerSecond: number, now: Milliseconds) {
    this.#left = new TokenBucket(lineRate(refusalsPerSecond), now)
  }

  limit(refusalsPerSecond: number): void {
    this.#left.change(lineRate(refusalsPerSecond))
  }

  /** @returns the lines for one event of the structured log. */
  linesOf(
    level: LogLevel,
    event: string,
    fields: { readonly [name: string]: LogField },
    context: LineContext,
    now: Milliseconds,
  ): readonly LogLine[] {
    const lines = fwknopdLines(level, event, fields, context)
    if (event !== 'refused' || this.#left.take(lines.length, now)) return lines
    return fwknopdLines(level, event, fields, { ...context, isBrief: true })
  }
}
