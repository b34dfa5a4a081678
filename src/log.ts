/**
 * The log: one JSON object per line, in which nothing can harm a terminal. The caller lists each field and never
 * spreads an object, so that nothing is logged by accident (docs/OPERATING.md § Log).
 */
import { jsonLine } from './bytes/text.ts'
import { type FailureCode, failureKinds } from './failure-codes.ts'
import type { Failure } from './result.ts'

export type LogLevel = 'info' | 'warning' | 'error'
export type LogField =
  | string
  | number
  | boolean
  | undefined
  | readonly LogField[]
  | { readonly [name: string]: LogField }

export interface Log {
  /** @param event what happened, in one word or two: `ready`, `knock`, `receiver lost`. */
  write(level: LogLevel, event: string, fields?: { readonly [name: string]: LogField }): void
}

/**
 * Writes lines to a stream such as standard output. `time` is UTC with milliseconds.
 * @param prefix what comes before each line, by level.
 */
export function jsonLog(
  write: (line: string) => void,
  wallClock: () => Date,
  prefix: (level: LogLevel) => string = () => '',
): Log {
  return {
    write(level, event, fields = {}) {
      write(`${prefix(level)}${jsonLine({ time: wallClock().toISOString(), level, event, ...fields })}\n`)
    },
  }
}

/** Keeps records: for tests. */
export class MemoryLog implements Log {
  readonly records: { level: LogLevel; event: string; fields: { readonly [name: string]: LogField } }[] = []
  write(level: LogLevel, event: string, fields: { readonly [name: string]: LogField } = {}): void {
    this.records.push({ level, event, fields })
  }
}

/** A failure as fields of a log line. */
export function failureFields(failure: Failure): { readonly [name: string]: LogField } {
  return {
    code: failure.code,
    reason: failureKinds[failure.code].sentence,
    detail: failure.detail,
    ...(failure.at && { file: failure.at.file, line: failure.at.line }),
    ...(failure.suggestion !== undefined && { suggestion: failure.suggestion }),
  }
}

export function levelOf(code: FailureCode): LogLevel {
  return failureKinds[code].level
}
