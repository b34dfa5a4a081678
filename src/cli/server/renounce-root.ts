/** For commands that root starts to read the configuration, and that then look at bytes of strangers. */
import { type Failure, ok, type Result } from '../../result.ts'
import { becomeUnprivileged } from '../../system/become.ts'

/** The user and group `nobody` of Debian; any number serves that owns no file. */
const NOBODY = { uid: 65_534, gid: 65_534 }

/** @returns PRIVILEGE_MISSING or PRIVILEGE_EXCESSIVE where root cannot become nobody. Does nothing for other users. */
export async function renounceRoot(): Promise<Result<void, Failure>> {
  if (process.getuid?.() !== 0) return ok(undefined)
  const became = await becomeUnprivileged(NOBODY)
  return became.ok ? ok(undefined) : became
}
