/** The user's home directory. A user may have none: in a container, or with a uid that the system does not know. */
import { userInfo } from 'node:os'
import { isAbsolute } from 'node:path'

/**
 * `HOME` if it is an absolute path, else the entry of the user database. An empty or relative `HOME` does not count:
 * files would then be looked for in the working directory, which may be another user's.
 * @returns `undefined` if neither names one.
 */
export function homeDirectory(): string | undefined {
  const { HOME } = process.env
  if (HOME !== undefined && isAbsolute(HOME)) return HOME
  try {
    const { homedir } = userInfo()
    return isAbsolute(homedir) ? homedir : undefined
  } catch {
    return undefined // a uid that the user database does not know
  }
}
