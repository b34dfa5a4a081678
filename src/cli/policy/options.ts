/** All options of `ghostport policy`, and which of them each action takes. */
import type { OptionValues } from '../terminal/parse-command-line.ts'
import { policyOptions } from './policy-options.ts'

export const options = {
  ...policyOptions,
  confirm: { help: 'install: keep the policy that is in force. Run it in a new session' },
  revert: { help: 'install: take the policy back that waits for its confirmation' },
  'revert-after': { value: 'SECONDS', help: 'install: for how long it waits for a confirmation, 30 to 3600 (300)' },
  'i-have-a-console': { help: 'install: there is another way in than ssh, such as the console of the provider' },
  'from-outside': { help: 'audit: print the commands that scan this host; run them on another one' },
  'scan-result': {
    value: 'FILE',
    repeatable: true,
    help: 'audit: compare with the result of such a scan: nmap’s XML (-oX) or grepable text (-oG)',
  },
  json: { help: 'print one JSON object' },
} as const

export type Given = OptionValues<typeof options>

const POLICY = Object.keys(policyOptions) as (keyof Given)[]

export const ACTIONS = {
  show: [...POLICY, 'json'],
  install: [...POLICY, 'confirm', 'revert', 'revert-after', 'i-have-a-console', 'json'],
  remove: ['json'],
  audit: ['config-file', 'allow', 'from-outside', 'scan-result', 'json'],
} as const satisfies Readonly<Record<string, readonly (keyof Given)[]>>

export type Action = keyof typeof ACTIONS
