/** Changes to the stanzas of one user, or of several, in all files at once. Pure. */
import type { StanzaName } from '../../access/stanza-name.ts'
import { sameNameKey } from '../../access/stanza-name.ts'
import { ok, type Result } from '../../result.ts'
import { type Seconds, seconds, type UnixSeconds } from '../../units.ts'
import type { ConfigFiles } from '../reading/config-files.ts'
import type { ConfigFailure } from '../reading/notice.ts'
import { removeStanza, replaceStanza } from './edit-stanza.ts'
import type { User } from './users.ts'

/** What becomes of a stanza: other lines (without line ends), or nothing. */
export interface UserEdit {
  readonly user: User
  readonly edit: ((lines: readonly string[]) => readonly string[]) | 'remove'
}

/** @returns the new text of each file that changes. */
export function editUsers(files: ConfigFiles, edits: readonly UserEdit[]): Result<Map<string, string>, ConfigFailure> {
  const linesOf = new Map<string, string[]>()
  // From the end of each file, so that the places before it stay right.
  for (const { user, edit } of edits.toSorted((a, b) => b.user.place.first - a.user.place.first)) {
    const { place } = user
    let lines = linesOf.get(place.file)
    if (lines === undefined) {
      const text = files.read(place.file)
      if (!text.ok) return text
      lines = text.value.split('\n')
      linesOf.set(place.file, lines)
    }
    if (edit === 'remove') removeStanza(lines, place)
    else replaceStanza(lines, place, edit)
  }
  return ok(new Map([...linesOf].map(([file, lines]) => [file, lines.join('\n')])))
}

/** The stanza of a user, and those with keys that they had before. */
export function stanzasOf(users: readonly User[], name: StanzaName): readonly User[] {
  const key = sameNameKey(name)
  return users.filter(
    (user) => (user.name !== undefined && sameNameKey(user.name) === key) || user.oldKeysOf?.toLowerCase() === key,
  )
}

/** How long old keys are known after their end: until then, the log and the doctor can say whose they are. */
export const OLD_KEYS_KEPT: Seconds = seconds(30 * 86_400)

/** Stanzas of old keys whose end is long ago. The next change removes them. */
export function outlived(users: readonly User[], now: UnixSeconds): readonly User[] {
  return users.filter(
    ({ oldKeysOf, isDisabled, stanza }) =>
      oldKeysOf !== undefined && !isDisabled && stanza?.expires !== undefined && stanza.expires + OLD_KEYS_KEPT <= now,
  )
}
