/** The rc file, to be changed by a command: read, judged as a knock would judge it, and written as a whole. */
import { rcPath } from '../../client/rc-stanza.ts'
import { parseFwknoprc, type RcFile } from '../../config/client/parse-fwknoprc.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { createUserFile, replaceUserFile } from '../../system/replace-user-file.ts'
import { readUserFile, refuseExposed } from '../../system/user-file.ts'
import type { UnixSeconds } from '../../units.ts'

export interface RcText {
  readonly file: string
  readonly text: string
  readonly rc: RcFile
  readonly exists: boolean
}

/** @param named by `--rc-file`. */
export function readRcText(named: string | undefined): Result<RcText, Failure> {
  const where = rcPath(named === undefined ? {} : { 'rc-file': named })
  if ('none' in where)
    return refuse('CONFIG_UNWRITABLE', `there is no rc file: ${where.none}`, { suggestion: '--rc-file FILE' })
  const file = where.path
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value?.readableByOthers) return refuseExposed(file)
  const text = read.value?.text ?? ''
  const rc = parseFwknoprc(file, text)
  return rc.ok ? ok({ file, text, rc: rc.value, exists: read.value !== undefined }) : rc
}

/**
 * @param edited the new text.
 * @param stanzas those that have to be usable: what [default] says may contradict them.
 */
export function writeRcText(
  { file, exists }: RcText,
  edited: string,
  stanzas: readonly string[],
): Result<void, Failure> {
  const after = parseFwknoprc(file, edited)
  if (!after.ok) return after
  for (const name of stanzas) {
    const judged = after.value.settings(name)
    if (!judged.ok) return judged
  }
  return exists ? replaceUserFile(file, edited) : createUserFile(file, edited)
}

/** RFC 3339, in UTC. */
export function showTime(time: UnixSeconds): string {
  return new Date(time * 1000).toISOString().replace('.000Z', 'Z')
}

/** When the keys of a stanza were made, as its comment has it. @returns undefined where the profile does not say. */
export function timesOf({ made, until }: { readonly made: UnixSeconds; readonly until?: UnixSeconds }) {
  // 0: the profile does not say.
  return made === 0 ? undefined : { made: showTime(made), ...(until !== undefined && { until: showTime(until) }) }
}
