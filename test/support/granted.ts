/** What the action of a verdict holds, where it must be a grant. */
import assert from 'node:assert/strict'
import type { GrantAction, Verdict } from '../../src/access/verdict.ts'

/** @throws AssertionError for a refusal, or another action. */
export function grantAction(verdict: Verdict | undefined): GrantAction {
  assert(verdict?.granted === true && verdict.action.kind === 'grant')
  return verdict.action
}
