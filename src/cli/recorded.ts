/**
 * Changes of this host that are made by a command, each with its line in the audit log. The line is on disk before the
 * change is made: a crash in between leaves a line too many, and never one too few.
 */
import { ownActor } from '../audit-log/actor.ts'
import { type AuditFailure, appendAudit } from '../audit-log/append.ts'
import type { AuditEvent } from '../audit-log/entry.ts'
import { loadServerConfig } from '../config/load.ts'
import { USUAL_AUDIT_LOG } from '../config/server/defaults-and-conflicts.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import { USUAL_SETTINGS } from '../host/facts/own-state.ts'
import type { Failure, Result } from '../result.ts'

/** What a line says, but for who did it. */
export type HostChange = Omit<AuditEvent, 'by'>

/** The path of the audit log by the settings of this host; the usual one where they cannot be read. */
export function auditLogHere(settings: string = USUAL_SETTINGS): string {
  const parsed = loadServerConfig(diskFiles(process.getuid?.() ?? 0), { server: settings })
  return parsed.ok ? parsed.value.config.auditLog : USUAL_AUDIT_LOG
}

/**
 * Records a change, then makes it. If the change fails, a second line says that it was not done.
 * @param act makes the change.
 * @returns AUDIT_FAILED if nothing could be recorded. Then nothing was done.
 */
export async function recorded<T, F extends Failure>(
  log: string,
  change: HostChange,
  act: () => Result<T, F> | Promise<Result<T, F>>,
): Promise<Result<T, F | AuditFailure>> {
  const line = await appendAudit(log, { by: ownActor(), ...change })
  return line.ok ? await carriedOut(log, change, act) : line
}

/**
 * The same for what takes a change back: it is done also where it cannot be recorded, because nobody may be locked out
 * by a full disk.
 * @param told gets the reason why there is no line.
 */
export async function recordedIfPossible<T, F extends Failure>(
  log: string,
  change: HostChange,
  told: (why: string) => void,
  act: () => Result<T, F> | Promise<Result<T, F>>,
): Promise<Result<T, F>> {
  const line = await appendAudit(log, { by: ownActor(), ...change })
  if (!line.ok) told(`the audit log has no line about it: ${line.failure.detail}`)
  return await carriedOut(log, change, act)
}

async function carriedOut<T, F extends Failure>(
  log: string,
  { did, to }: HostChange,
  act: () => Result<T, F> | Promise<Result<T, F>>,
): Promise<Result<T, F>> {
  const done = await act()
  if (!done.ok) await recordNotDone(log, { did, ...(to !== undefined && { to }) }, done.failure)
  return done
}

/** If this line is missing, the one before it says that something was to be done, and the host that it was not. */
export async function recordNotDone(log: string, { did, to }: HostChange, { code }: Failure): Promise<void> {
  await appendAudit(log, { by: ownActor(), did: `${did}: not done`, ...(to !== undefined && { to }), note: code })
}
