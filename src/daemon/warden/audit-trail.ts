/**
 * What the warden records in the audit log. Nothing of it is loaded before there is something to record. Number and
 * hash of each line also go to the log of the server, which is often kept elsewhere: a log that was written anew does
 * not agree with it.
 */
import type { AuditActor, AuditEvent } from '../../audit-log/entry.ts'
import type { Log } from '../../log.ts'
import type { Failure, Result } from '../../result.ts'
import { type Configuration, snapshotOf } from './configuration.ts'
import type { RevokeAnswer } from './revocation.ts'

export class AuditTrail {
  readonly #path: () => string
  readonly #log: Log

  /** @param path of the log at this moment. */
  constructor(path: () => string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** @returns AUDIT_FAILED if nothing was recorded. The log of the server says so too. */
  async record(event: AuditEvent): Promise<Result<unknown, Failure<'AUDIT_FAILED'>>> {
    const { appendAudit } = await import('../../audit-log/append.ts')
    const recorded = await appendAudit(this.#path(), event)
    const { did, to, by } = event
    const what = { did, ...(to !== undefined && { to }), ...(by.name !== undefined && { by: by.name }) }
    if (recorded.ok)
      this.#log.write('info', 'audit', { ...what, number: recorded.value.seq, hash: recorded.value.hash })
    else this.#log.write('error', 'audit', { ...what, code: recorded.failure.code, detail: recorded.failure.detail })
    return recorded
  }

  /** What a reload changed, without any key. */
  async reloaded(by: AuditEvent['by'], before: Configuration, after: Configuration): Promise<void> {
    const { changedLines } = await import('../../audit-log/changed-lines.ts')
    const texts = (configuration: Configuration) => new Map(Object.entries(snapshotOf(configuration).texts))
    await this.record({ by, did: 'reload', ...changedLines(texts(before), texts(after)) })
  }
}

/** What a revocation ended, each grant with its end. */
export function revocationEvent(by: AuditActor, to: string, answer: RevokeAnswer): AuditEvent {
  const event = { by, did: 'revoke', to }
  if ('failure' in answer) return { ...event, note: answer.failure.code }
  const { revoked, connections, problem } = answer
  return {
    ...event,
    before: revoked.map(({ open, for: source, name, user }) => `${open.join(',')} for ${source}, ${name ?? user}`),
    after: [],
    note: `connections ended: ${connections}${problem === undefined ? '' : `; ${problem}`}`,
  }
}
