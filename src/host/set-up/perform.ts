/** Carries planned steps out, each with its inverse in the journal before it. */
import { ok, type Result, refuse } from '../../result.ts'
import { letSessionsLive } from '../policy/sessions.ts'
import type { ChangeFailure, WayBack } from '../way-back/way-back.ts'
import { type Step, shownCommand } from './steps.ts'

/** @returns CHANGE_FAILED at the first step that fails; those before it can be taken back. */
export function perform(
  back: WayBack,
  steps: readonly Step[],
  told: (what: string) => void,
): Result<void, ChangeFailure> {
  for (const step of steps) {
    const done = performOne(back, step)
    if (!done.ok) return done
    // A step may take longer than the time. What came after its end would stay.
    if (!back.isPending) return refuse('CHANGE_FAILED', 'the time was over before all changes were made')
    if (step.kind === 'file') told(`wrote ${step.file.path}`)
    if (step.kind === 'run') told(shownCommand(step.argv))
    if (step.kind === 'sessions') told(step.about)
  }
  return ok(undefined)
}

/** systemctl only says that a service did not start. Its own words are in the journal, also after the way back. */
function withLog(argv: readonly string[], failure: ChangeFailure): ChangeFailure {
  const [program, verb, unit] = argv
  const starts = program === 'systemctl' && (verb === 'start' || verb === 'restart') && unit !== undefined
  return starts ? { ...failure, suggestion: `journalctl -u ${unit} -n 20` } : failure
}

function performOne(back: WayBack, step: Step): Result<unknown, ChangeFailure> {
  switch (step.kind) {
    case 'file':
      return back.file(step.file)
    case 'owe': {
      const mayFail = step.mayFail === true ? ({ mayFail: true } as const) : {}
      return back.owe({ what: step.about, inverse: { kind: 'run', argv: step.inverse, ...mayFail } })
    }
    case 'run': {
      const { argv, inverse, about } = step
      const mayFail = step.mayFail === true ? ({ mayFail: true } as const) : {}
      const undone = inverse === undefined ? {} : { inverse: { kind: 'run', argv: inverse, ...mayFail } as const }
      const ran = back.run({ argv, what: about, ...undone })
      return ran.ok ? ran : { ok: false, failure: withLog(argv, ran.failure) }
    }
    case 'sessions': {
      const { status, reason } = letSessionsLive(step.nft)
      return status === 0 ? ok(undefined) : refuse('CHANGE_FAILED', `${step.about}: ${reason}`)
    }
    default:
      return step satisfies never
  }
}
