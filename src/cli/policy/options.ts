/** All options of `ghostport policy`, and which of them each action takes. */
import type { OptionValues } from '../terminal/parse-command-line.ts'
import { policyOptions } from './policy-options.ts'

export const options = {
  ...policyOptions,
  json: { help: 'print one JSON object' },
} as const

export type Given = OptionValues<typeof options>

const POLICY = Object.keys(policyOptions) as (keyof Given)[]

export const ACTIONS = {
  show: [...POLICY, 'json'],
} as const satisfies Readonly<Record<string, readonly (keyof Given)[]>>

export type Action = keyof typeof ACTIONS
