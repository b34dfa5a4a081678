/** `ghostport init` makes its changes: the dead-man switch first, then each step with its way back. */
import { systemClock } from '../../clock.ts'
import { openJournal, takeBack, tidyUp } from '../../host/set-up/confirm.ts'
import { connectionsNow } from '../../host/set-up/knocked-login.ts'
import { perform } from '../../host/set-up/perform.ts'
import { systemLooker } from '../../host/system-looker.ts'
import { armDeadMan } from '../../host/way-back/arm.ts'
import { type PendingSetUp, writePending } from '../../host/way-back/pending.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import type { Seconds } from '../../units.ts'
import type { Prepared } from './prepare.ts'

/** @returns what waits for a confirmation now. After a failure, all is as it was before. */
export async function carryOut(
  plan: Prepared,
  time: Seconds,
  told: (what: string) => void,
): Promise<Result<PendingSetUp>> {
  const ports = plan.hide.flatMap(({ protocol, port }) => (protocol === 'tcp' ? [port] : []))
  if (ports.length === 0)
    return refuse(
      'SETUP_REFUSED',
      'none of the hidden ports is a TCP port, so no connection could confirm the changes',
      {
        suggestion: 'hide the port of ssh too',
      },
    )
  const opened = await openJournal()
  if (!opened.ok) return opened
  const back = opened.value
  try {
    if (back.isPending) return refuse('CHANGES_PENDING', 'see “ghostport init --status”')
    tidyUp(back)
    const before = connectionsNow(systemLooker(), ports)
    if (!before.known) return refuse('SETUP_REFUSED', before.because)
    const armedAt = systemClock.now()
    const pending: PendingSetUp = {
      by: 'init',
      ...{ armedAt, time, ports, mark: plan.mark, before: before.value, byLogin: plan.hidesSsh },
      steps: plan.steps.confirmed.filter((step) => step.kind === 'run'),
      complete: false,
    }
    writePending(back.paths.folder, pending)
    back.await()
    const armed = armDeadMan(back.paths, armedAt, time)
    if (!armed.ok) {
      takeBack(back)
      return armed
    }
    told(`the changes are taken back at ${new Date(armed.value * 1000).toISOString()}, unless a knock confirms them`)
    const done = perform(back, plan.steps.now, told)
    if (done.ok) return ok(pending)
    const undone = takeBack(back)
    return undone.ok ? done : undone
  } catch (error) {
    return refuse('CHANGE_FAILED', `${back.paths.folder}: ${fileReason(error)}`)
  } finally {
    back.close()
  }
}
