/**
 * The level of a line in the journal's form: `<3>` at the start of each line (sd-daemon(3)). Only for a stream that the
 * journal reads itself. systemd names that stream in `JOURNAL_STREAM`, as device and inode.
 */
import { fstatSync } from 'node:fs'
import type { LogLevel } from '../log.ts'

/** The numbers of syslog(3). */
const priorities = { error: 3, warning: 4, info: 6 } as const satisfies Record<LogLevel, number>

/** @returns the prefix of the lines of each level: empty, unless the journal reads the descriptor. */
export function journalPrefix(
  descriptor: number,
  environment: NodeJS.ProcessEnv = process.env,
): (level: LogLevel) => string {
  const { JOURNAL_STREAM: stream } = environment
  if (stream === undefined || stream !== streamOf(descriptor)) return () => ''
  return (level) => `<${priorities[level]}>`
}

function streamOf(descriptor: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined // A closed descriptor is no stream.
  }
}
