/**
 * Arms the dead-man switch of this host, reads back from systemd that it is armed, and disarms it. Where it cannot be
 * armed, parts of it stay: they do no harm, and a switch that is only half there still takes changes back.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { judgeServerFile, replaceServerFile } from '../../system/server-file.ts'
import { systemdRuns } from '../../system/systemd.ts'
import { type Seconds, seconds, type UnixSeconds } from '../../units.ts'
import { runHere } from '../run-here.ts'
import { deadManUnits } from './dead-man.ts'
import { UNIT_FOLDER, WAY_BACK_UNITS } from './units.ts'
import type { JournalPaths, WayBack } from './way-back.ts'

export type NotArmed = Failure<'DEAD_MAN_NOT_ARMED'>

/** How long the switch leaves for a confirmation: longer than its steps take on a busy host. */
const FOR_CONFIRMING = seconds(120)
/** How far systemd’s own idea of the end may be from ours: its accuracy, and rounding. */
const SLACK = 2

/**
 * Arms the switch, or gives an armed one another end.
 * @param now seconds since 1970.
 * @returns the end; DEAD_MAN_NOT_ARMED if systemd does not say that all of it is in place. Nothing may be left to it
 * then: the caller takes the changes back now, and disarms the switch after that.
 */
export function armDeadMan(paths: JournalPaths, now: UnixSeconds, within: Seconds): Result<UnixSeconds, NotArmed> {
  if (!systemdRuns())
    return refuse('DEAD_MAN_NOT_ARMED', 'systemd does not run on this host, so nobody would take the changes back')
  const end = (now + within) as UnixSeconds
  const { script, pending } = paths
  try {
    for (const [name, text] of Object.entries(deadManUnits({ end, within, script, pending }))) {
      const exposed = judgeServerFile(join(UNIT_FOLDER, name))
      if (exposed !== undefined) return refuse('DEAD_MAN_NOT_ARMED', exposed.detail)
      replaceServerFile(join(UNIT_FOLDER, name), text, 0o644)
    }
  } catch (error) {
    return refuse('DEAD_MAN_NOT_ARMED', `${UNIT_FOLDER}: ${fileReason(error)}`)
  }
  for (const argv of [
    ['daemon-reload'],
    ['enable', WAY_BACK_UNITS.boot],
    // A timer that runs keeps its old end. In one command: nobody can end this program between stop and start.
    ['restart', WAY_BACK_UNITS.timer],
  ]) {
    const { status, reason } = runHere(['systemctl', '--quiet', ...argv])
    if (status !== 0) return failed(`systemctl ${argv.join(' ')}: ${reason}`)
  }
  const armed = armedUntil()
  if (armed === undefined) return failed('systemd does not say when its timer ends')
  if (Math.abs(armed - end) > SLACK) return failed(`systemd’s timer ends at ${armed}, not at ${end}`)
  const enabled = runHere(['systemctl', 'is-enabled', WAY_BACK_UNITS.boot])
  if (enabled.output.trim() !== 'enabled') return failed(`${WAY_BACK_UNITS.boot} is not enabled`)
  return ok(end)
}

function failed(detail: string): Result<never, NotArmed> {
  return refuse('DEAD_MAN_NOT_ARMED', detail)
}

/**
 * Before the steps of a confirmation: the changes are not taken back half way through them.
 * @param now seconds since 1970.
 * @returns NOT_CONFIRMED if it is too late: they were taken back, or are being taken back. DEAD_MAN_NOT_ARMED as
 * {@link armDeadMan}.
 */
export function holdForConfirming(
  wayBack: Pick<WayBack, 'isPending' | 'paths'>,
  now: UnixSeconds,
): Result<void, NotArmed | Failure<'NOT_CONFIRMED'>> {
  // The script runs for a moment, or has run.
  const isTooLate = (): boolean => !wayBack.isPending || isTakingBack()
  const tooLate = () =>
    refuse('NOT_CONFIRMED', 'the time is over: the changes were taken back, or are being taken back')
  if (isTooLate()) return tooLate()
  if (secondsLeft(now) >= FOR_CONFIRMING) return ok(undefined)
  const armed = armDeadMan(wayBack.paths, now, FOR_CONFIRMING)
  if (!armed.ok) return armed
  return isTooLate() ? tooLate() : ok(undefined)
}

/** By the end that comes first: if the clock was set back, that is the one counted from the start of the timer. */
function secondsLeft(now: UnixSeconds): number {
  const { output } = runHere([
    ...(['busctl', 'get-property', 'org.freedesktop.systemd1', unitPath(WAY_BACK_UNITS.timer)] as const),
    ...['org.freedesktop.systemd1.Timer', 'NextElapseUSecMonotonic'],
  ])
  return Math.min((armedUntil() ?? 0) - now, parseMonotonic(output) - Number(process.hrtime.bigint()) / 1e9)
}

/** @param text `t 81234567`, in microseconds. @returns seconds of the monotonic clock; 0 if systemd did not say. */
export function parseMonotonic(text: string): number {
  const [, microseconds = '0'] = /^t (\d{1,18})\n?$/.exec(text) ?? []
  return Number(microseconds) / 1e6
}

/** The name of a unit on D-Bus. */
function unitPath(unit: string): string {
  return `/org/freedesktop/systemd1/unit/${unit.replaceAll(/[^a-z0-9]/g, (each) => `_${each.charCodeAt(0).toString(16)}`)}`
}

/** Whether the switch is at work at this moment, or will try again soon. */
export function isTakingBack(): boolean {
  const { output } = runHere(['systemctl', 'is-active', WAY_BACK_UNITS.service])
  return /^(active|activating|deactivating)$/m.test(output)
}

/** @returns when systemd’s timer takes the changes back; undefined if it is not armed. */
export function armedUntil(): UnixSeconds | undefined {
  // Its option for timestamps leaves this property alone: it is written in the time zone of the asker.
  const { output } = runHere([
    ...(['env', 'TZ=UTC', 'systemctl', 'show', WAY_BACK_UNITS.timer] as const),
    ...['-p', 'ActiveState', '-p', 'NextElapseUSecRealtime'],
  ])
  return parseArmed(output)
}

/** @param text `ActiveState=active` and `NextElapseUSecRealtime=Thu 2026-11-26 04:15:43 UTC`, in any order. */
export function parseArmed(text: string): UnixSeconds | undefined {
  const [, day = '', time = ''] = /^NextElapseUSecRealtime=\w+ ([\d-]+) ([\d:]+) UTC$/m.exec(text) ?? []
  const moment = Date.parse(`${day}T${time}Z`)
  return /^ActiveState=active$/m.test(text) && Number.isFinite(moment) ? ((moment / 1000) as UnixSeconds) : undefined
}

/** Removes the switch. Nothing else changes. */
export function disarmDeadMan(): void {
  if (!systemdRuns()) return
  runHere(['systemctl', '--quiet', 'stop', WAY_BACK_UNITS.timer])
  runHere(['systemctl', '--quiet', 'disable', WAY_BACK_UNITS.boot])
  // During a boot, systemctl may fail: then the link that it made is still there.
  for (const name of [...Object.values(WAY_BACK_UNITS), `sysinit.target.wants/${WAY_BACK_UNITS.boot}`])
    rmSync(join(UNIT_FOLDER, name), { force: true })
  runHere(['systemctl', '--quiet', 'daemon-reload'])
}
