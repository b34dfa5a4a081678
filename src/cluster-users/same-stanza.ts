/** Whether a stanza of a node is the one that the cluster has by this name. Pure. */
import { enabled, marksOf, withSince } from '../config/access/edit-stanza.ts'

/** `disabled there`: the same, but that it was disabled in the cluster since. */
export type Likeness = 'same' | 'disabled there' | 'other'

/**
 * @param own the lines of the stanza in a file of the node. @param there the text of the cluster’s stanza.
 * @returns `same` also where only the mark of the cluster is another one (`# ghostport: since …`).
 */
export function likenessOf(own: readonly string[], there: string): Likeness {
  const lines = there.split('\n')
  const ours = textOf(own)
  if (ours === textOf(lines)) return 'same'
  return marksOf(lines).isDisabled && ours === textOf(enabled(lines)) ? 'disabled there' : 'other'
}

function textOf(lines: readonly string[]): string {
  return withSince(lines, undefined).join('\n').trimEnd()
}
