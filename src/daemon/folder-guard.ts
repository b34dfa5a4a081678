/**
 * Who may replace a file: whoever may write to its folder, whatever the mode of the file itself. A sticky folder, as /tmp is, lets each
 * user replace their own files only.
 */
import { statSync } from 'node:fs'
import { type Failure, refuse } from '../result.ts'
import { systemPath } from '../system-path.ts'

const OTHERS_WRITE = 0o022
const STICKY = 0o1000

/**
 * @param user the user that the folder must belong to, besides root.
 * @returns CONFIG_EXPOSED where others may replace what is in the folder.
 * @throws what the file system throws.
 */
export function judgeFolder(folder: string, user: number): Failure<'CONFIG_EXPOSED'> | undefined {
  const { uid, mode } = statSync(systemPath(folder))
  if (uid !== 0 && uid !== user)
    return refuse('CONFIG_EXPOSED', `the folder ${folder} belongs to user ${uid}, who could replace what is in it`, {
      suggestion: `chown root ${folder}`,
    }).failure
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0)
    return refuse('CONFIG_EXPOSED', `others can replace what is in the folder ${folder} (mode ${octal(mode)})`, {
      suggestion: `chmod go-w ${folder}`,
    }).failure
  return undefined
}

/** The permission bits as `chmod` takes them. */
export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}
