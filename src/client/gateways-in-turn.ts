/**
 * Several gateways: the next one is tried if a packet did not leave by the one before. Each gets a packet that is
 * sealed anew, so that no gateway holds what another one may still send. What may have left is not sent again: a
 * command would run twice.
 */
import type { Failure, Result } from '../result.ts'
import type { PlannedKnock } from './plan.ts'

/** A failure, and what tells whether the packet may have left. */
type WayFailure = Failure & { readonly unclear?: true; readonly sent?: readonly unknown[] }

/**
 * @param knock seals and sends by one way.
 * @param onNext told before the next way is tried.
 * @returns what the first way said by which the packet left; else the failures of all, in one.
 */
export async function inTurn<T, F extends WayFailure>(
  planned: PlannedKnock,
  knock: (planned: PlannedKnock) => Promise<Result<T, F>>,
  onNext: (failure: Failure, next: PlannedKnock['plan']) => void = () => {},
): Promise<Result<T, F>> {
  const [first, ...further] = waysOf(planned)
  let outcome = await knock(first)
  const passed: string[] = []
  for (const next of further) {
    if (outcome.ok || !leftNothing(outcome.failure)) break
    passed.push(outcome.failure.detail)
    onNext(outcome.failure, next.plan)
    outcome = await knock(next)
  }
  if (outcome.ok || passed.length === 0 || outcome.failure.code !== 'SEND_FAILED') return outcome
  return { ok: false, failure: { ...outcome.failure, detail: [...passed, outcome.failure.detail].join('; ') } }
}

function waysOf(planned: PlannedKnock): readonly [PlannedKnock, ...PlannedKnock[]] {
  const { plan, world, further } = planned
  const others = further.map(({ route, delivery }) => ({
    ...planned,
    plan: { ...plan, settings: { ...plan.settings, ...route } },
    world: { ...world, delivery },
  }))
  return [planned, ...others]
}

function leftNothing({ code, unclear, sent = [] }: WayFailure): boolean {
  return unclear !== true && sent.length === 0 && (code === 'SEND_FAILED' || code === 'NAME_UNRESOLVED')
}
