/** The stanzas of a cluster on pages of a bounded size, and changes to them: each page is written once. Pure. */

import { sameNameKey } from '../access/stanza-name.ts'
import { encodeText, jsonLine } from '../bytes/text.ts'
import { judgeClusterStanza } from '../config/access/cluster-blocks.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { MOST_OF_ONE_PAGE, MOST_PAGES } from './roster.ts'

/** The stanzas of one page. `id` is absent for a page that is still to be written. */
export interface PageOfStanzas {
  readonly id?: string
  readonly stanzas: readonly string[]
}

/** A stanza that is to be there, instead of another one or of none. */
export interface StanzaChange {
  /** Its NAME, in lower case. */
  readonly key: string
  /** What is to be there now. Absent: no stanza of that name. */
  readonly before?: string
  /** Absent: it goes. */
  readonly after?: string
}

/** Bytes of a page as JSON: with room to spare below the longest record. */
const MOST_OF_PAGE = 7000
/** A page that a change leaves with less is joined with one beside it. */
const LITTLE = 1500

/** @returns the NAME of a stanza, in lower case. */
export function stanzaKey(text: string): string | undefined {
  const named = judgeClusterStanza(text)
  return named.ok ? sameNameKey(named.value) : undefined
}

/**
 * @returns CLUSTER_USERS_REFUSED if a stanza is not what the change was made from, or is too long, or there are too
 * many. Pages without a change keep their id.
 */
export function changePages(
  pages: readonly PageOfStanzas[],
  changes: readonly StanzaChange[],
): Result<readonly PageOfStanzas[], Failure<'CLUSTER_USERS_REFUSED'>> {
  const asked = new Map(changes.map((change) => [change.key, change]))
  const changed = pages.map((page): PageOfStanzas => {
    const stanzas = page.stanzas.flatMap((text) => {
      const change = asked.get(stanzaKey(text) ?? '')
      if (change === undefined) return [text]
      if (change.before !== text) return [text]
      asked.delete(change.key)
      return change.after === undefined ? [] : [change.after]
    })
    return stanzas.length === page.stanzas.length && stanzas.every((text, i) => text === page.stanzas[i])
      ? page
      : { stanzas }
  })
  const there = new Set(pages.flatMap(({ stanzas }) => stanzas.flatMap((text) => stanzaKey(text) ?? [])))
  const added: string[] = []
  for (const { key, before, after } of asked.values()) {
    if (before !== undefined || there.has(key))
      return refuse('CLUSTER_USERS_REFUSED', `another node has changed ${key} meanwhile`)
    if (after !== undefined) added.push(after)
  }
  return packed([...changed, ...(added.length === 0 ? [] : [{ stanzas: added }])])
}

/** @returns new pages for all of these stanzas. */
export function onPages(
  stanzas: readonly string[],
): Result<readonly PageOfStanzas[], Failure<'CLUSTER_USERS_REFUSED'>> {
  return packed(stanzas.length === 0 ? [] : [{ stanzas }])
}

/** Pages that are new: none too long, none empty, few of them short. */
function packed(pages: readonly PageOfStanzas[]): Result<readonly PageOfStanzas[], Failure<'CLUSTER_USERS_REFUSED'>> {
  const all: PageOfStanzas[] = []
  for (const page of pages) {
    if (page.id !== undefined) {
      all.push(page)
      continue
    }
    const last = all.at(-1)
    // What is added goes on the last page, as long as there is room.
    const joins = last !== undefined && (sizeOf(page.stanzas) < LITTLE || sizeOf(last.stanzas) < LITTLE)
    if (joins) all.pop()
    for (const stanzas of divided([...(joins ? last.stanzas : []), ...page.stanzas])) {
      if (sizeOf(stanzas) > MOST_OF_PAGE)
        return refuse(
          'CLUSTER_USERS_REFUSED',
          `the stanza ${stanzaKey(stanzas[0] ?? '') ?? ''} is too long: one of a cluster has at most ${MOST_OF_PAGE} bytes`,
        )
      all.push({ stanzas })
    }
  }
  if (all.length <= MOST_PAGES) return ok(all)
  const tight = divided(all.flatMap(({ stanzas }) => stanzas))
  if (tight.length <= MOST_PAGES) return ok(tight.map((stanzas) => ({ stanzas })))
  return refuse('CLUSTER_USERS_REFUSED', `a cluster has room for ${MOST_PAGES} pages of stanzas, some 5 000 users`)
}

function divided(stanzas: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = []
  let size = 0
  for (const text of stanzas) {
    const own = sizeOf([text])
    const last = parts.at(-1)
    if (last === undefined || last.length === MOST_OF_ONE_PAGE || size + own > MOST_OF_PAGE) {
      parts.push([text])
      size = own
    } else {
      last.push(text)
      size += own
    }
  }
  return parts
}

function sizeOf(stanzas: readonly string[]): number {
  return encodeText(jsonLine(stanzas)).length
}
