/**
 * Knocks that the kernel would have dropped, or passed on to another host, are refused before they count: they are not
 * claimed, nothing opens for them, and the same packet is good where it was meant to be used.
 */
import { checkAge } from '../../../access/age.ts'
import { refusal, type Verdict } from '../../../access/verdict.ts'
import type { Disbelief } from '../../../capture/disbelief.ts'
import type { Knock } from '../../link/knock.ts'
import { type Judging, judge } from './judge.ts'

/** Asks the kernel about where a knock came from and went to. */
export type Doubt = (packet: Knock['packet']) => Disbelief | undefined

/** @returns one verdict for each knock, in order, as {@link judge} does. */
export async function judgeBelieved(
  knocks: readonly Knock[],
  judging: Judging,
  doubt: Doubt,
): Promise<readonly Verdict[]> {
  const { policy, clock } = judging
  const now = clock.now()
  // What is refused for its date costs no question, and the receiver asks about no copy of it.
  const doubts = knocks.map(({ message, packet }) =>
    checkAge(message.timestamp, policy.maxAge, now).ok ? doubt(packet) : undefined,
  )
  const believed = await judge(
    knocks.filter((_, i) => doubts[i] === undefined),
    // Of the same moment: what has no doubt for its date is refused for its date.
    { ...judging, clock: { now: () => now } },
  )
  const verdicts = believed.values()
  return knocks.map((knock, i) => {
    const disbelief = doubts[i]
    return disbelief === undefined ? verdicts.next().value : refusal(disbelief, [{ id: knock.openedBy }])
  }) as Verdict[]
}

/** Whether a verdict says that the packet was never for this host to use. It is as unused as before. */
export function isDisbelieved(verdict: Verdict | undefined): boolean {
  if (verdict === undefined || verdict.granted) return false
  const { code } = verdict.failure
  return code === 'SPA_UNBELIEVED' || code === 'SPA_NOT_FOR_US'
}
