/** Whether a policy of ours was confirmed on this host. */
import { type Known, whenKnown } from '../../known.ts'
import { POLICY_UNIT_FILE } from '../../policy/units.ts'
import type { Subject } from '../subject.ts'

export function lookAtPolicyUnit({ looker }: Subject): Known<boolean> {
  return whenKnown(looker.stat(POLICY_UNIT_FILE), (found) => found !== undefined)
}
