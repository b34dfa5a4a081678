/** The user's home directory, for a user who may have none: in a container, or under a uid that the system does not know. */
import { userInfo } from 'node:os'
import { isAbsolute } from 'node:path'

/**
 * `HOME`, where it is an absolute path; else what the user database says. An empty or relative `HOME` does not count: files
 * would then be looked for in the working directory, which may be somebody else's.
 * @returns `undefined` where neither names one.
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
