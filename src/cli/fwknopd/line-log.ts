/**
 * Writes the server's log as lines of fwknopd (log-lines.ts): to standard error, to syslog, or to both.
 */
import { printable } from '../../bytes/text.ts'
import { monotonic } from '../../clock.ts'
import type { ServerConfig, SyslogFacility } from '../../config/server/server-config.ts'
import { LogWriter } from '../../system/log-writer.ts'
import { type SyslogName, SyslogWriter } from '../../system/syslog-writer.ts'
import type { LogOutput } from '../server/run-server.ts'
import { LineBudget } from './line-budget.ts'
import type { LineContext, LogLine } from './log-lines.ts'

export interface LineLogOptions {
  /** Where lines go: one, or both. */
  readonly to: { readonly standardError: boolean; readonly syslog: boolean }
  readonly settings: LineLogSettings
}

/** What a reload may change. */
export interface LineLogSettings {
  /** How often `-v` was given, and VERBOSE. */
  readonly verbosity: number
  readonly syslog: Pick<ServerConfig['lines'], 'identity' | 'facility'>
  readonly context: Omit<LineContext, 'now' | 'isBrief'>
  /** LOG_LIMIT */
  readonly refusalsPerSecond: number
}

export interface LineLog extends LogOutput {
  change(settings: LineLogSettings): void
  /** Whether lines go to syslog only, and there is none. */
  readonly isUnheard: boolean
}

const FACILITIES = { LOG_DAEMON: 3, LOG_LOCAL0: 16 } as const

export function lineLog({ to, settings }: LineLogOptions): LineLog {
  let current = settings
  const budget = new LineBudget(settings.refusalsPerSecond, monotonic())
  const standardError = to.standardError ? new LogWriter(2) : undefined
  const syslog = to.syslog ? new SyslogWriter(syslogName(settings.syslog)) : undefined
  const write = ({ priority, text }: LogLine): void => {
    if (priority === 'debug' && current.verbosity < 1) return
    const line = printable(text)
    standardError?.line(`${line}\n`)
    syslog?.line(priority, line)
  }
  return {
    log: {
      write(level, event, fields = {}) {
        // As the comment of a rule has it: no grant is told to end sooner than it does.
        const context = { ...current.context, now: Math.ceil(Date.now() / 1000) }
        for (const line of budget.linesOf(level, event, fields, context, monotonic())) write(line)
      },
    },
    change(next) {
      current = next
      budget.limit(next.refusalsPerSecond)
      syslog?.rename(syslogName(next.syslog))
    },
    get isBusy() {
      return standardError?.isBusy === true
    },
    holdsUpMessages: true,
    get isUnheard() {
      return standardError === undefined && syslog?.hasNoReader === true
    },
    async flush(longest) {
      await Promise.all([standardError?.flush(longest), syslog?.flush(longest)])
    },
  }
}

function syslogName({ identity, facility }: LineLogSettings['syslog']): SyslogName {
  return { identity, facility: facilityNumber(facility) }
}

function facilityNumber(facility: SyslogFacility): number {
  return facility === 'LOG_DAEMON' ? FACILITIES.LOG_DAEMON : FACILITIES.LOG_LOCAL0 + Number(facility.slice(-1))
}
