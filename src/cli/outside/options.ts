/** The options of `ghostport outside`. */
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const options = {
  compare: { help: 'compare two saved scans, and scan nothing' },
  json: { help: 'one JSON object on standard output, also for a failure (docs/OUTSIDE.md)' },
} as const

export type Given = OptionValues<typeof options>
