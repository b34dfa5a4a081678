/** Who asked at a socket of the server's, for the audit log. */
import type { Asker } from '../system/asker.ts'
import type { AuditActor } from './entry.ts'

export function askerActor({ uid, loginUid }: Asker): AuditActor {
  return { via: 'control socket', ...(uid !== undefined && { uid }), ...(loginUid !== undefined && { loginUid }) }
}
