/** `ghostport init` waits for the knock that confirms its changes, also when its terminal is gone. */

import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../clock.ts'
import type { Connection } from '../../host/facts/connection-mark.ts'
import type { Known } from '../../host/known.ts'
import { confirmChanges, openJournal, takeBack, tidyUp } from '../../host/set-up/confirm.ts'
import { findConfirming, findConfirmingLogin } from '../../host/set-up/knocked-login.ts'
import { SshLogins } from '../../host/set-up/ssh-logins.ts'
import { systemLooker } from '../../host/system-looker.ts'
import { type PendingSetUp, readPending } from '../../host/way-back/pending.ts'
import { journalPaths, type WayBack } from '../../host/way-back/way-back.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import { auditLogHere, recorded, recordedIfPossible } from '../recorded.ts'
import { confirmedChange, takenBackChange } from './planned-change.ts'

const PAUSE = milliseconds(100)
/** The journal is read once in so many rounds: this shows logins that were over within a round. */
const JOURNAL_ROUNDS = 10
/** systemd is to be first at the end of the time. This program does its work only if systemd does not. */
const GRACE = milliseconds(20_000)

export interface Confirmed {
  /** Undefined: another command of ours confirmed. */
  readonly by: Connection | undefined
}

/**
 * @param told gets each step.
 * @returns NOT_CONFIRMED when all was taken back: at the end of the time, by another command, or since this program is
 * to end (Ctrl-C).
 */
export async function watch(pending: PendingSetUp, told: (what: string) => void): Promise<Result<Confirmed>> {
  let [armedAt, end] = [pending.armedAt, performance.now() + pending.time * 1000]
  const ended = endedBySignal()
  const paths = journalPaths()
  const logins = SshLogins.begin()
  for (let round = 1; ; round++) {
    if (!existsSync(paths.pending)) return await whatBecame()
    const found = await findNow(pending, round % JOURNAL_ROUNDS === 0 ? logins : undefined)
    if (found.known && found.value !== undefined) {
      const change = confirmedChange(pending.steps, `by the login from ${found.value.peer}, which came in by a knock`)
      const confirmed = await recorded(auditLogHere(), change, () =>
        withJournal((back) => confirmChanges(back, pending, systemClock.now(), told)),
      )
      return confirmed.ok ? ok({ by: found.value }) : confirmed
    }
    const now = readPending(paths.folder)
    if (now.ok && now.value !== undefined && now.value.armedAt !== armedAt)
      [armedAt, end] = [now.value.armedAt, performance.now() + now.value.time * 1000]
    const isOver = performance.now() > end + GRACE
    if (isOver || ended.aborted) {
      const why = isOver ? 'the time is over' : 'interrupted'
      const undone = await withJournal((back) => (back.isPending ? undo(back, why, told) : ok(undefined)))
      if (!undone.ok) return undone
      return refuse('NOT_CONFIRMED', `${why}, and all was taken back`)
    }
    await delay(PAUSE)
  }
}

/** @param logins absent: the journal is not read this time. */
async function findNow(pending: PendingSetUp, logins: SshLogins | undefined): Promise<Known<Connection | undefined>> {
  const looker = systemLooker()
  const found = await findConfirming(looker, pending)
  if (logins === undefined || (found.known && found.value !== undefined)) return found
  return await findConfirmingLogin(looker, pending, logins.next())
}

function undo(back: WayBack, why: string, told: (what: string) => void): Promise<Result<void>> {
  return recordedIfPossible(auditLogHere(), takenBackChange(back.unconfirmed, why), told, () => takeBack(back))
}

/** `pending` is gone: who was it? */
async function whatBecame(): Promise<Result<Confirmed>> {
  const opened = await openJournal()
  if (!opened.ok) return opened
  const { changes, unconfirmed, paths } = opened.value
  const stays = changes.length > 0 && unconfirmed.length === 0 && !existsSync(paths.undone)
  tidyUp(opened.value)
  opened.value.close()
  return stays ? ok({ by: undefined }) : refuse('NOT_CONFIRMED', 'the changes were taken back')
}

/** Opens the journal for one act. */
export async function withJournal<T>(act: (back: WayBack) => Result<T> | Promise<Result<T>>): Promise<Result<T>> {
  const opened = await openJournal()
  if (!opened.ok) return opened
  try {
    return await act(opened.value)
  } finally {
    opened.value.close()
  }
}

/** A terminal that goes away ends nothing: the administrator may be about to log in again. */
function endedBySignal(): AbortSignal {
  const ended = new AbortController()
  process.on('SIGHUP', () => {})
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  return ended.signal
}
