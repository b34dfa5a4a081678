/** Changes that wait for a confirmation stay, or are taken back: each in an order that survives any accident. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { replaceServerFile } from '../../system/server-file.ts'
import { milliseconds, type UnixSeconds } from '../../units.ts'
import { disarmDeadMan, holdForConfirming, type NotArmed } from '../way-back/arm.ts'
import { type PendingSetUp, removePending } from '../way-back/pending.ts'
import { UNIT_FOLDER, WAY_BACK_FOLDER, WAY_BACK_UNITS } from '../way-back/units.ts'
import { type ChangeFailure, WayBack } from '../way-back/way-back.ts'
import { installedFiles } from './installed-files.ts'
import { perform } from './perform.ts'

/** Another command of ours may be at the journal for a moment. */
const TRIES = 50
const PAUSE = milliseconds(100)

/** Opens the journal, and waits for another command of ours that has it for a moment. */
export async function openJournal(folder = WAY_BACK_FOLDER): Promise<Result<WayBack, ChangeFailure>> {
  for (let tries = 1; ; tries++) {
    const opened = WayBack.open(folder)
    if (opened.ok || opened.failure.code !== 'INSTANCE_RUNNING' || tries >= TRIES) return opened
    await delay(PAUSE)
  }
}

/**
 * The changes stay.
 * @param now seconds since 1970.
 * @returns NOT_CONFIRMED if they were taken back meanwhile. CHANGE_FAILED: a last step failed, and all was taken back.
 */
export function confirmChanges(
  back: WayBack,
  pending: PendingSetUp,
  now: UnixSeconds,
  told: (what: string) => void,
): Result<void, ChangeFailure | NotArmed | Failure<'NOT_CONFIRMED'>> {
  const held = holdForConfirming(back, now)
  if (!held.ok) return held.failure.code === 'DEAD_MAN_NOT_ARMED' ? takeBackUnarmed(back, held.failure) : held
  const done = perform(back, pending.steps, told)
  if (!done.ok) {
    const undone = takeBack(back)
    return undone.ok ? done : undone
  }
  try {
    listInstalledFiles(back)
    back.confirm()
    disarmDeadMan()
    removePending(back.paths.folder)
    return ok(undefined)
  } catch (error) {
    return refuse('CHANGE_FAILED', `${back.paths.folder}: ${fileReason(error)}`)
  }
}

/** The switch could not be set anew, so nobody would take the changes back later: they are taken back now. */
export function takeBackUnarmed(
  back: WayBack,
  { code, detail }: Failure<'DEAD_MAN_NOT_ARMED'>,
): Result<never, ChangeFailure | NotArmed> {
  const undone = takeBack(back)
  return undone.ok ? refuse(code, `${detail}. So all that was not confirmed is taken back`) : undone
}

/** All that was not confirmed is taken back, now. */
export function takeBack(back: WayBack): Result<void, ChangeFailure> {
  const undone = back.undo()
  if (!undone.ok) return undone
  disarmDeadMan()
  removePending(back.paths.folder)
  return undone
}

/** Removes what is left of a switch that did its work, or that a killed program left behind. */
export function tidyUp(back: WayBack): void {
  if (back.isPending) return
  if (existsSync(join(UNIT_FOLDER, WAY_BACK_UNITS.boot))) disarmDeadMan()
  removePending(back.paths.folder)
}

/**
 * The new files, for the purge of the package: it removes those that nobody changed. In the form of sha256sum.
 * @throws the file system's errors.
 */
function listInstalledFiles({ changes, paths }: WayBack): void {
  const list = join(dirname(paths.folder), 'installed-files')
  const before = existsSync(list) ? readFileSync(list, 'utf8') : ''
  replaceServerFile(list, installedFiles(before, changes), 0o600)
}
