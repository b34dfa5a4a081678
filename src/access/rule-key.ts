/** Names what a stanza may have run, so that two processes that read the same files mean the same by it. */
import { primitives } from '#primitives'
import { encodeBase64 } from '../bytes/base64.ts'
import { encodeText } from '../bytes/text.ts'
import type { Brand } from '../units.ts'
import type { CommandRule } from './command.ts'
import type { CycleRule } from './cycle.ts'

/** A hash of a rule: the same rule has the same key in each process and after each reload. */
export type RuleKey = Brand<string, 'RuleKey'>

/** @param rule plain data, made by the parser of access.conf. */
export function ruleKey(rule: CommandRule | CycleRule): RuleKey {
  return encodeBase64(primitives.digest('sha256', encodeText(JSON.stringify(rule)))) as RuleKey
}
