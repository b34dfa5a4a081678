/** Writes the server's log as lines of fwknopd (log-lines.ts), to standard error. */
import { printable } from '../../bytes/text.ts'
import type { Log } from '../../log.ts'
import { LogWriter } from '../../system/log-writer.ts'
import type { LogOutput } from '../server/run-server.ts'
import { fwknopdLines, type LineContext } from './log-lines.ts'

export interface LineLogOptions {
  /** How often `-v` was given, or VERBOSE. */
  readonly verbosity: number
  readonly context: Omit<LineContext, 'now'>
}

export function lineLog({ verbosity, context }: LineLogOptions): LogOutput {
  const output = new LogWriter(2)
  const log: Log = {
    write(level, event, fields = {}) {
      const now = Math.floor(Date.now() / 1000)
      for (const { priority, text } of fwknopdLines(level, event, fields, { ...context, now })) {
        if (priority === 'debug' && verbosity < 1) continue
        output.line(`${printable(text)}\n`)
      }
    },
  }
  return {
    log,
    get isBusy() {
      return output.isBusy
    },
    holdsUpMessages: true,
    flush: (longest) => output.flush(longest),
  }
}
