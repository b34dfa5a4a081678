/**
 * Puts a policy in force, keeps it once it is confirmed, and takes it away. What changes the host goes through the undo
 * journal, so that the dead-man switch takes back what nobody confirms. Nothing is enabled before the confirmation: a
 * reboot takes an unconfirmed policy back too.
 */
import { existsSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { systemdRuns } from '../../system/systemd.ts'
import type { Seconds, UnixSeconds } from '../../units.ts'
import { runHere } from '../run-here.ts'
import { takeBack, takeBackUnarmed } from '../set-up/confirm.ts'
import { armDeadMan, disarmDeadMan, holdForConfirming, type NotArmed } from '../way-back/arm.ts'
import { type PendingPolicy, readPending, removePending, writePending } from '../way-back/pending.ts'
import { type ChangeFailure, journalPaths, WayBack } from '../way-back/way-back.ts'
import { findNft } from './nft-program.ts'
import type { HostPolicy } from './policy.ts'
import { REMOVE_TABLE, renderPolicy } from './render.ts'
import { letSessionsLive, openConnections, renderOpen } from './sessions.ts'
import {
  NFTABLES_ADDITION,
  PENDING_LOAD,
  PENDING_POLICY,
  POLICY_FILE,
  POLICY_UNIT,
  POLICY_UNIT_FILE,
  POLICY_WATCH,
  POLICY_WATCH_FILE,
  policyFiles,
} from './units.ts'

type InstallFailure =
  | ChangeFailure
  | NotArmed
  | Failure<'FIREWALL_UNAVAILABLE' | 'FIREWALL_REFUSED' | 'CHANGES_PENDING' | 'NOT_CONFIRMED'>

/**
 * Loads the policy, for `within` seconds.
 * @returns when it is taken back. After a failure the host is as it was.
 */
export function loadPolicy(
  policy: HostPolicy,
  { now, within }: { readonly now: UnixSeconds; readonly within: Seconds },
): Result<UnixSeconds, InstallFailure> {
  const nft = findNft()
  if (!nft.ok) return nft
  // The first question, since everything else would have to be taken back.
  if (!systemdRuns())
    return refuse('DEAD_MAN_NOT_ARMED', 'systemd does not run on this host, so nobody would take the policy back', {
      suggestion: 'ghostport policy show',
    })
  return withWayBack((wayBack) => {
    if (wayBack.isPending && waitingPolicy(wayBack) === undefined)
      return refuse(
        'CHANGES_PENDING',
        'other changes to this host wait for a confirmation: confirm them first, or wait until they are taken back',
      )
    const connections = openConnections()
    const failed = <F extends InstallFailure>(failure: F): Result<never, F> => {
      // If something cannot be taken back, the switch stays, and tries again.
      const undone = takeBack(wayBack)
      return undone.ok ? { ok: false, failure } : (undone as Result<never, F>)
    }
    const text = renderPolicy(policy)
    for (const file of [
      { path: PENDING_POLICY, text, mode: 0o600 },
      { path: PENDING_LOAD, text: text + renderOpen(connections), mode: 0o600 },
    ]) {
      const written = wayBack.file(file)
      if (!written.ok) return failed(written.failure)
    }
    const checked = runHere([nft.value, '--check', '-f', PENDING_LOAD])
    if (checked.status !== 0)
      return failed(refuse('FIREWALL_REFUSED', `nft does not take the policy: ${checked.reason}`).failure)
    try {
      writePending(wayBack.paths.folder, { by: 'policy', armedAt: now, time: within, before: connections })
      wayBack.await()
    } catch (error) {
      return failed(refuse('CONFIG_UNWRITABLE', `${wayBack.paths.folder}: ${fileReason(error)}`).failure)
    }
    const armed = armDeadMan(wayBack.paths, now, within)
    if (!armed.ok) return failed(armed.failure)
    const back = existsSync(POLICY_FILE)
      ? ([nft.value, '-f', POLICY_FILE] as const)
      : ([nft.value, REMOVE_TABLE] as const)
    const loaded = wayBack.run({
      argv: [nft.value, '-f', PENDING_LOAD],
      inverse: { kind: 'run', argv: back },
      what: 'loaded the policy of this host',
    })
    return loaded.ok ? armed : failed(loaded.failure)
  })
}

/** @returns the policy that waits for its confirmation; undefined if none does. */
export function pendingPolicy(paths = journalPaths()): PendingPolicy | undefined {
  if (!existsSync(paths.pending)) return undefined
  const read = readPending(paths.folder)
  return read.ok && read.value?.by === 'policy' ? read.value : undefined
}

function waitingPolicy({ paths }: WayBack): PendingPolicy | undefined {
  return pendingPolicy(paths)
}

/** Keeps the policy that is in force: from now on it is loaded at each boot. */
export function keepPolicy(now: UnixSeconds): Result<void, InstallFailure> {
  const nft = findNft()
  if (!nft.ok) return nft
  return withWayBack((wayBack) => {
    if (waitingPolicy(wayBack) === undefined)
      return refuse('NOT_CONFIRMED', 'no policy waits for a confirmation: it was taken back, or confirmed before')
    const held = holdForConfirming(wayBack, now)
    if (!held.ok) return held.failure.code === 'DEAD_MAN_NOT_ARMED' ? takeBackUnarmed(wayBack, held.failure) : held
    const kept = keep(wayBack, nft.value)
    if (!kept.ok) {
      const undone = takeBack(wayBack)
      return undone.ok ? kept : undone
    }
    try {
      wayBack.confirm()
      disarmDeadMan()
      removePending(wayBack.paths.folder)
      for (const path of [PENDING_POLICY, PENDING_LOAD]) removeFile(path)
      return ok(undefined)
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${wayBack.paths.folder}: ${fileReason(error)}`)
    }
  })
}

function keep(wayBack: WayBack, nft: string): Result<void, InstallFailure> {
  const text = readFileSync(PENDING_POLICY, 'utf8')
  for (const file of policyFiles(nft, text)) {
    const written = wayBack.file(file)
    if (!written.ok) return written
  }
  // Where an earlier policy was confirmed, its unit stays as it is if this confirmation fails half way.
  const wasEnabled = runHere(['systemctl', 'is-enabled', POLICY_UNIT]).output.trim() === 'enabled'
  const wasActive = runHere(['systemctl', 'is-active', POLICY_UNIT]).output.trim() === 'active'
  for (const [argv, back] of [
    [['daemon-reload'], undefined],
    [['enable', POLICY_UNIT], wasEnabled ? undefined : ['disable', POLICY_UNIT]],
    // It loads the file once more. So the sessions that are older than the policy are named once more.
    [['reload-or-restart', POLICY_UNIT], wasActive ? undefined : ['stop', POLICY_UNIT]],
    // It stops with that one.
    [['start', POLICY_WATCH], undefined],
  ] as const) {
    const ran = wayBack.run({
      argv: ['systemctl', '--quiet', ...argv],
      ...(back !== undefined && {
        inverse: { kind: 'run', argv: ['systemctl', '--quiet', ...back], mayFail: true } as const,
      }),
      what: `systemctl ${argv.join(' ')}`,
    })
    if (!ran.ok) return ran
  }
  // If this fails, sessions that nothing has tracked yet end. The policy is the same.
  letSessionsLive(nft)
  return ok(undefined)
}

/** Takes back the policy that waits for its confirmation, before its time. */
export function revertPolicy(): Result<void, InstallFailure> {
  return withWayBack((wayBack) => {
    if (waitingPolicy(wayBack) === undefined) return refuse('NOT_CONFIRMED', 'no policy waits for a confirmation')
    return takeBack(wayBack)
  })
}

/** @returns what was removed, in words; empty if there was no policy. */
export function removePolicy(): Result<readonly string[], InstallFailure> {
  const nft = findNft()
  if (!nft.ok) return nft
  return withWayBack((wayBack) => {
    const removed: string[] = []
    if (waitingPolicy(wayBack) !== undefined) {
      const undone = takeBack(wayBack)
      if (!undone.ok) return undone
      removed.push('the policy that waited for its confirmation')
    }
    const had = runHere([nft.value, 'list', 'table', 'inet', POLICY_TABLE]).status === 0
    // Its stop removes the table too.
    if (systemdRuns() && existsSync(POLICY_UNIT_FILE)) {
      const { status, reason } = runHere(['systemctl', '--quiet', 'disable', '--now', POLICY_UNIT])
      if (status !== 0) return refuse('CHANGE_FAILED', `systemctl disable --now ${POLICY_UNIT}: ${reason}`)
    }
    if (had) {
      const { status, reason } = runHere([nft.value, REMOVE_TABLE])
      if (status !== 0) return refuse('FIREWALL_REFUSED', `the table cannot be removed: ${reason}`)
      removed.push(`the table “inet ${POLICY_TABLE}”`)
    }
    try {
      for (const path of [POLICY_UNIT_FILE, POLICY_WATCH_FILE, NFTABLES_ADDITION, POLICY_FILE])
        if (removeFile(path)) removed.push(path)
    } catch (error) {
      return refuse('CHANGE_FAILED', fileReason(error))
    }
    if (systemdRuns()) runHere(['systemctl', '--quiet', 'daemon-reload'])
    return ok(removed)
  })
}

/** And its folder, if that is empty then. @returns whether it was there. */
function removeFile(path: string): boolean {
  const there = existsSync(path)
  rmSync(path, { force: true })
  try {
    rmdirSync(dirname(path))
  } catch {
    // There is more in it, or it is not there.
  }
  return there
}

function withWayBack<T>(act: (wayBack: WayBack) => Result<T, InstallFailure>): Result<T, InstallFailure> {
  const opened = WayBack.open()
  if (!opened.ok) return opened
  try {
    return act(opened.value)
  } finally {
    opened.value.close()
  }
}
