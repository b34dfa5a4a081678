/** Whether changes of `ghostport init` or `ghostport policy` wait for a confirmation, and when they are taken back. */

import { type Known, known, notKnown } from '../../known.ts'
import { armedUntil, isTakingBack } from '../../way-back/arm.ts'
import { readPending } from '../../way-back/pending.ts'
import { journalPaths } from '../../way-back/way-back.ts'
import type { Subject } from '../subject.ts'

export interface DeadMan {
  /** Whose changes wait. */
  readonly of: 'init' | 'policy'
  /** When it was to be, in seconds since 1970; absent where no record says. */
  readonly planned?: number
  /** When systemd's timer does it; absent: nothing is armed. */
  readonly armed?: number
  /** It is at work, or will try again soon. */
  readonly takingBack?: true
}

/** @returns undefined if nothing waits. */
export function lookAtDeadMan({ looker }: Subject): Known<DeadMan | undefined> {
  const { pending: mark, folder } = journalPaths()
  const found = looker.stat(mark)
  if (!found.known) return looker.uid === 0 ? found : notKnown('only root may see whether changes wait')
  if (found.value === undefined) return known(undefined)
  const pending = readPending(folder)
  if (!pending.ok) return notKnown(pending.failure.detail)
  const armed = armedUntil()
  return known({
    of: pending.value?.by ?? 'init',
    ...(pending.value !== undefined && { planned: pending.value.armedAt + pending.value.time }),
    ...(armed !== undefined && { armed }),
    ...(armed === undefined && isTakingBack() && { takingBack: true }),
  })
}
