/** All options of `ghostport client`, and which of them each action takes. */
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const options = {
  file: { value: 'FILE', help: 'add: read the profile from FILE, which only you may read' },
  name: { value: 'NAME', help: 'add: the name of the stanza, in place of that in the profile' },
  replace: { help: 'add: replace the settings of stanzas that are there' },
  'rc-file': { value: 'FILE', help: 'FILE instead of ~/.fwknoprc' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

export type Given = OptionValues<typeof options>

export const ACTIONS = {
  add: ['file', 'name', 'replace', 'rc-file', 'json'],
  export: ['rc-file', 'json'],
} as const satisfies Readonly<Record<string, readonly (keyof Given)[]>>

export type Action = keyof typeof ACTIONS
