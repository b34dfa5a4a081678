/** The last step of admission: the firewall opens all granted requests in one transaction. */
import type { Grant } from '../../../access/grant.ts'
import type { Action, GrantAction, Granted, Refusal, Verdict } from '../../../access/verdict.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import { refuse } from '../../../result.ts'

type Opened = Awaited<ReturnType<Firewall['open']>>[number]

/** @returns the verdicts, in order. A grant in them is open; a grant that the firewall refused becomes a refusal. */
export async function open(
  verdicts: readonly Verdict[],
  firewall: Pick<Firewall, 'open'>,
): Promise<readonly Verdict[]> {
  const grants = verdicts.flatMap((verdict) => (verdict.granted ? grantsOf(verdict.action) : []))
  if (grants.length === 0) return verdicts
  const opened = (await firewall.open(grants)).values()
  return verdicts.map((verdict) => (verdict.granted ? carriedOut(verdict, opened) : verdict))
}

/** The grants that the firewall must open for an action. */
function grantsOf(action: Action): readonly Grant[] {
  switch (action.kind) {
    case 'grant':
      return [action.grant]
    default:
      return action.kind satisfies never
  }
}

/** @param opened the firewall's answers; those for this verdict's {@link grantsOf} come next. */
function carriedOut(verdict: Granted, opened: Iterator<Opened>): Granted | Refusal {
  const { action } = verdict
  switch (action.kind) {
    case 'grant':
      return asOpened(verdict, action, opened.next().value)
    default:
      return action.kind satisfies never
  }
}

function asOpened(verdict: Granted, action: GrantAction, opened: Opened | undefined): Granted | Refusal {
  if (opened?.ok) return { ...verdict, action: { ...action, ...opened.value } }
  const failure = opened?.failure ?? refuse('FIREWALL_REFUSED', 'the firewall gave no answer').failure
  return { granted: false, failure, stanza: verdict.stanza, denials: verdict.denials }
}
