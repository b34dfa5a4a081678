/** The log of a process in the foreground: JSON on standard output, or what the journal reads of it. */
import { jsonLog, type Log } from '../../log.ts'
import { journalPrefix } from '../../system/journal-stream.ts'
import { LogWriter } from '../../system/log-writer.ts'

export interface OutputLog {
  readonly log: Log
  readonly output: LogWriter
}

export function logToOutput(): OutputLog {
  const prefix = journalPrefix(1)
  const output = new LogWriter(1, undefined, prefix)
  const log = jsonLog(
    (line) => output.line(line),
    () => new Date(),
    prefix,
  )
  return { log, output }
}
