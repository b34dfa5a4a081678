/**
 * Refuses knocks that the kernel would have dropped, or passed on to another host, before they count. They are not
 * claimed, and nothing opens for them. So the same packet is still unused at its real destination.
 */
import { checkAge } from '../../../access/age.ts'
import { refusal, type Verdict } from '../../../access/verdict.ts'
import type { Disbelief } from '../../../capture/disbelief.ts'
import type { Knock } from '../../link/knock.ts'
import { type Judging, judge } from './judge.ts'

/** Asks the kernel about the source and destination of a knock. */
export type Doubt = (packet: Knock['packet']) => Disbelief | undefined

/** @returns one verdict for each knock, in order, like {@link judge}. */
export async function judgeBelieved(
  knocks: readonly Knock[],
  judging: Judging,
  doubt: Doubt,
): Promise<readonly Verdict[]> {
  const { policy, clock } = judging
  const now = clock.now()
  // A knock with a wrong date is refused for its date, so the kernel is not asked. It counts as claimed.
  const doubts = knocks.map(({ message, packet }) =>
    checkAge(message.timestamp, policy.maxAge, now).ok ? doubt(packet) : undefined,
  )
  const believed = await judge(
    knocks.filter((_, i) => doubts[i] === undefined),
    // Uses the same moment, so that both checks agree about the date.
    { ...judging, clock: { now: () => now } },
  )
  const verdicts = believed.values()
  return knocks.map((knock, i) => {
    const disbelief = doubts[i]
    return disbelief === undefined ? verdicts.next().value : refusal(disbelief, [{ id: knock.openedBy }])
  }) as Verdict[]
}

/** Whether a verdict says that the packet was never for this host. The packet is then still unused. */
export function isDisbelieved(verdict: Verdict | undefined): boolean {
  if (verdict === undefined || verdict.granted) return false
  const { code } = verdict.failure
  return code === 'SPA_UNBELIEVED' || code === 'SPA_NOT_FOR_US'
}
