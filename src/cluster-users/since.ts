/**
 * Marks in the stanzas of a cluster that tell a user who is back from one who was there all the time: also a node that
 * was away meanwhile then ends what the earlier one has open. Pure.
 */
import { marksOf, withSince } from '../config/access/edit-stanza.ts'
import type { StanzaChange } from './pages.ts'

/**
 * @param at when the change is made: RFC 3339, with milliseconds.
 * @returns the changes, with a new mark for each user who is added or enabled, and with their own for all others.
 */
export function marked(changes: readonly StanzaChange[], at: string): readonly StanzaChange[] {
  return changes.map((change) => {
    if (change.after === undefined) return change
    const after = change.after.split('\n')
    const before = change.before === undefined ? undefined : marksOf(change.before.split('\n'))
    const isBack = before === undefined || (before.isDisabled && !marksOf(after).isDisabled)
    return { ...change, after: withSince(after, isBack ? at : before.since).join('\n') }
  })
}
