/** Who did it, as a line of the audit log says. Pure. */
import type { AuditLine } from '../api.ts'

export function actorText({ via, uid, loginUid, name, from }: AuditLine['by']): string {
  const parts = [
    name,
    name === undefined && uid !== undefined && `uid ${uid}`,
    loginUid !== undefined && loginUid !== uid && `logged in as uid ${loginUid}`,
    from !== undefined && `from ${from}`,
    `through the ${via}`,
  ]
  return parts.filter(Boolean).join(', ')
}
