/** All options of `ghostport node`, and which of them each action takes. */
import { configFileOptions } from '../server/config-source.ts'
import type { OptionValues } from '../terminal/parse-command-line.ts'
import { nodesFileOption } from './nodes-file.ts'

export const options = {
  ...configFileOptions,
  ...nodesFileOption,
  server: { value: 'HOST[:PORT]', help: 'add, set: the node, as clients reach it (NAME; with --this, this host)' },
  this: { help: 'add, set: the node is this host' },
  'key-name': { value: 'NAME', help: 'add: the name that keys are derived from (NAME, or NAME.2 where that was used)' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

export type Given = OptionValues<typeof options>

const FILES = ['config-file', 'access-file', 'nodes-file', 'json'] as const

export const ACTIONS = {
  add: { takes: [...FILES, 'server', 'this', 'key-name'], words: ['NAME'] },
  list: { takes: FILES, words: [] },
  set: { takes: [...FILES, 'server', 'this'], words: ['NAME'] },
  rename: { takes: FILES, words: ['NAME', 'NEW'] },
  remove: { takes: FILES, words: ['NAME'] },
} as const satisfies Readonly<
  Record<string, { readonly takes: readonly (keyof Given)[]; readonly words: readonly string[] }>
>

export type Action = keyof typeof ACTIONS
