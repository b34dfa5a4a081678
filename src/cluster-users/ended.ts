/** Which users lose what they have, from one state of the cluster’s stanzas to the next. Pure. */
import type { StanzaName } from '../access/stanza-name.ts'
import { sameNameKey } from '../access/stanza-name.ts'
import { judgeClusterStanza, stanzaTexts } from '../config/access/cluster-blocks.ts'
import { marksOf, type StanzaMarks } from '../config/access/edit-stanza.ts'

interface Found extends StanzaMarks {
  readonly name: StanzaName
}

/**
 * @param before, after texts of copies.
 * @returns the names of stanzas that were removed or disabled, also if they are back since: their grants end.
 */
export function endedUsers(before: string, after: string): readonly StanzaName[] {
  const now = usersOf(after)
  return [...usersOf(before)].flatMap(([key, { name, isDisabled, since }]) => {
    const left = now.get(key)
    // Who was disabled before has nothing open.
    const isEnded = left === undefined || (!isDisabled && (left.isDisabled || left.since !== since))
    return isEnded ? [name] : []
  })
}

function usersOf(text: string): ReadonlyMap<string, Found> {
  return new Map(
    stanzaTexts(text).flatMap(({ text: stanza }) => {
      const name = judgeClusterStanza(stanza)
      if (!name.ok) return []
      return [[sameNameKey(name.value), { name: name.value, ...marksOf(stanza.split('\n')) }] as const]
    }),
  )
}
