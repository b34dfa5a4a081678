/** What is done with changes that wait for a confirmation: `--confirm`, `--revert`, `--more-time`, `--status`. */
import { showTime } from '../../access/age.ts'
import { systemClock } from '../../clock.ts'
import { confirmChanges, openJournal, takeBack, takeBackUnarmed, tidyUp } from '../../host/set-up/confirm.ts'
import { judgeOwnSession } from '../../host/set-up/knocked-login.ts'
import { systemLooker } from '../../host/system-looker.ts'
import { armDeadMan, armedUntil, isTakingBack } from '../../host/way-back/arm.ts'
import { type PendingSetUp, readPending, writePending } from '../../host/way-back/pending.ts'
import type { WayBack } from '../../host/way-back/way-back.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { type Seconds, unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { auditLogHere, recorded, recordedIfPossible } from '../recorded.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { confirmedChange, takenBackChange } from './planned-change.ts'

/** @param act only if changes wait. */
async function withWaiting(act: (back: WayBack) => Promise<Result<number>> | Result<number>): Promise<Outcome> {
  const opened = await openJournal()
  if (!opened.ok) return opened
  const back = opened.value
  try {
    if (!back.isPending) {
      tidyUp(back)
      return nothingWaits()
    }
    const done = await act(back)
    return done.ok ? done.value : done
  } finally {
    back.close()
  }
}

/** @param act only if it is known which changes wait, and that they are of init. */
function withPending(
  act: (back: WayBack, pending: PendingSetUp) => Promise<Result<number>> | Result<number>,
): Promise<Outcome> {
  return withWaiting((back) => {
    const pending = readPending(back.paths.folder)
    if (!pending.ok) return pending
    return pending.value?.by === 'init' ? act(back, pending.value) : nothingWaits()
  })
}

function nothingWaits() {
  return refuse('NOT_CONFIRMED', 'no changes of “ghostport init” wait for a confirmation')
}

export function confirmNow(terminal: Terminal, json: boolean): Promise<Outcome> {
  return withPending(async (back, pending) => {
    const by = await judgeOwnSession(systemLooker(), pending)
    if (!by.known) return refuse('NOT_CONFIRMED', by.because)
    const change = confirmedChange(pending.steps, `by this session, from ${by.value.peer}, which came in by a knock`)
    const confirmed = await recorded(auditLogHere(), change, () =>
      confirmChanges(back, pending, systemClock.now(), (what) => terminal.note(what)),
    )
    if (!confirmed.ok) return confirmed
    if (json) terminal.printJson({ state: 'confirmed', by: by.value })
    else terminal.print('Confirmed: this session came in by a knock, and the changes stay.')
    return ok(0)
  })
}

export function revertNow(terminal: Terminal, json: boolean): Promise<Outcome> {
  return withWaiting(async (back) => {
    // Where nobody can say whose changes wait, all of them are taken back: this needs the journal alone.
    const pending = readPending(back.paths.folder)
    if (pending.ok && pending.value?.by === 'policy')
      return refuse('CHANGES_PENDING', 'changes of “ghostport policy” wait for a confirmation', {
        suggestion: 'ghostport policy install --revert',
      })
    const { unconfirmed } = back
    const change = takenBackChange(unconfirmed, 'ghostport init --revert')
    const undone = await recordedIfPossible(auditLogHere(), change, terminal.note, () => takeBack(back))
    if (!undone.ok) return undone
    if (json) terminal.printJson({ state: 'taken back', changes: unconfirmed.map(({ what }) => what) })
    else terminal.print('All that was not confirmed is taken back.')
    return ok(0)
  })
}

export function prolong(time: Seconds, terminal: Terminal, json: boolean): Promise<Outcome> {
  return withPending(async (back, pending) => {
    const armedAt = systemClock.now()
    const change = { did: 'init --more-time', after: [`until ${showTime(unixSeconds(armedAt + time))}`] }
    const armed = await recorded(auditLogHere(), change, () => armDeadMan(back.paths, armedAt, time))
    if (!armed.ok) return armed.failure.code === 'DEAD_MAN_NOT_ARMED' ? takeBackUnarmed(back, armed.failure) : armed
    writePending(back.paths.folder, { ...pending, armedAt, time })
    const until = new Date(armed.value * 1000).toISOString()
    if (json) terminal.printJson({ state: 'waiting', until })
    else terminal.print(`The changes are taken back at ${until}, unless a knock confirms them.`)
    return ok(0)
  })
}

function describeEnd(until: string | undefined): string {
  if (until !== undefined) return `are taken back at ${until}`
  return isTakingBack()
    ? 'are being taken back: “journalctl -u ghostport-undo -n 20” says what is in the way'
    : 'only a reboot takes them back: the timer is not armed'
}

export async function showStatus(terminal: Terminal, json: boolean): Promise<Outcome> {
  const opened = await openJournal()
  if (!opened.ok) return opened
  const back = opened.value
  const { isPending, unconfirmed, changes } = back
  back.close()
  const armed = isPending ? armedUntil() : undefined
  const until = armed === undefined ? undefined : new Date(armed * 1000).toISOString()
  const kept = changes.length - unconfirmed.length
  if (json)
    terminal.printJson({
      state: isPending ? 'waiting' : 'nothing waits',
      until: until ?? null,
      waiting: unconfirmed.map(({ what }) => what),
      confirmed: changes.slice(0, kept).map(({ what }) => what),
    })
  else
    terminal.print(
      isPending
        ? [
            `These changes wait for a confirmation, and ${describeEnd(until)}:`,
            ...unconfirmed.map(({ what }) => `  ${what}`),
          ]
        : [
            'No changes wait for a confirmation.',
            ...(kept > 0
              ? [`${kept} confirmed changes are in the journal; “ghostport uninstall” takes them back.`]
              : []),
          ],
    )
  return 0
}
