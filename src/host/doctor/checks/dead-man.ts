/** Whether changes that nobody has confirmed are taken back, and when. */
import { type Answer, defineCheck, ifKnown, judged } from '../check.ts'
import type { DeadMan } from '../looks/dead-man.ts'

/** How far apart the two times may be, in seconds: systemd's accuracy, and rounding. */
const SLACK = 5

export const deadMan = defineCheck({
  code: 'DEAD_MAN',
  side: 'server',
  question: 'Is no change of “ghostport init” or “ghostport policy” waiting for a confirmation?',
  needs: ['deadMan'],
  judge: ({ deadMan: fact }) => ifKnown(fact, judgeDeadMan),
})

const names = {
  init: {
    who: 'ghostport init',
    confirm: 'ghostport init --confirm',
    revert: 'ghostport init --revert',
    proof: 'a knock',
  },
  policy: {
    who: 'ghostport policy',
    confirm: 'ghostport policy install --confirm',
    revert: 'ghostport policy install --revert',
    proof: 'a new session',
  },
} as const

export function judgeDeadMan(waiting: DeadMan | undefined): Answer {
  if (waiting === undefined) return judged([], 'nothing waits')
  const { planned, armed, takingBack } = waiting
  const { who, confirm, revert, proof } = names[waiting.of]
  if (takingBack)
    return judged(
      [
        {
          severity: 'error',
          text: `changes of “${who}” are being taken back, and not all could be so far. It is tried again every 15 seconds`,
          evidence: ['ghostport-undo.service is at work', 'journalctl -u ghostport-undo -n 20 says what is in the way'],
          cure: { command: revert },
        },
      ],
      '',
    )
  if (armed === undefined)
    return judged(
      [
        {
          severity: 'error',
          text: `changes of “${who}” are not confirmed, and no timer takes them back. A reboot would`,
          evidence: ['ghostport-undo.timer is not active'],
          cure: { command: revert },
        },
      ],
      '',
    )
  const at = timeOf(armed)
  if (planned !== undefined && armed > planned + SLACK)
    return judged(
      [
        {
          severity: 'error',
          text: 'the timer that takes unconfirmed changes back was postponed',
          evidence: [`it was set for ${timeOf(planned)}`, `systemd says ${at}`],
          cure: { command: revert },
        },
      ],
      '',
    )
  return judged(
    [
      {
        severity: 'warning',
        text: `changes of “${who}” are taken back at ${at}, unless ${proof} confirms them`,
        evidence: [`ghostport-undo.timer ends at ${at}`],
        cure: { command: confirm },
      },
    ],
    '',
  )
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
