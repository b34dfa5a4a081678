/** The options of `ghostport console`. */
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const options = {
  config: { short: 'c', value: 'FILE', help: 'the console’s settings (/etc/ghostport/console.conf)' },
  role: { value: 'ROLE', help: 'account add: viewer, operator or administrator' },
  for: { value: 'TIME', help: 'login: how long the link is good: 15m (default), 1h, 2d' },
  file: { value: 'FILE', help: 'metrics-token: write the token into a new FILE, which only its owner can read' },
  json: { help: 'account list, login: one JSON object on standard output' },
  check: { help: 'say whether the settings can be used, and start nothing' },
} as const

export type ConsoleOptions = OptionValues<typeof options>
