/**
 * The users of a cluster, as its nodes share them (docs/WIRE.md § 21). Their stanzas are on pages; a page is written
 * once and never changes. A roster names the pages that count. Rosters have numbers that only grow, and each number is
 * given once: so etcd can show a node an old roster, but cannot show one user as of today and another as of yesterday.
 */
import { integer, list, mapped, printableAscii, type Read, type Reader, record, text } from '../json-reader.ts'

/** Pages of one roster: with 8 KB each, room for some 5 000 stanzas. */
export const MOST_PAGES = 256
/** Stanzas of one page. */
export const MOST_OF_ONE_PAGE = 200
/** Rosters before it that a roster names. */
export const MOST_RECENT = 64

/** 12 random bytes, as base64url. */
const randomId = mapped(text({ max: 16 }), (read) => (/^[A-Za-z0-9_-]{16}$/.test(read) ? read : undefined))
const version = integer({ min: 1, max: 2 ** 48 })

export const readRoster: Reader<Roster> = record(
  {
    version,
    id: randomId,
    /** The node where it was made, and when: Unix seconds. */
    node: printableAscii({ max: 63 }),
    at: integer({ min: 0, max: 2 ** 40 }),
    pages: list(randomId, { min: 0, max: MOST_PAGES }),
    /** The ids of rosters that it follows, the newest first. */
    recent: list(randomId, { min: 0, max: MOST_RECENT }),
  },
  {},
)

export interface Roster {
  readonly version: number
  readonly id: string
  readonly node: string
  readonly at: number
  readonly pages: readonly string[]
  readonly recent: readonly string[]
}

const page = record({ stanzas: list(text({ max: 8192 }), { min: 1, max: MOST_OF_ONE_PAGE }) }, {})
export type Page = Read<typeof page>
export const readPage: Reader<Page> = page

/** The newest roster that a node took. */
export type Seen = Pick<Roster, 'version' | 'id'>

/**
 * What a roster is to a node that took `seen`.
 * - `newer`: to be taken.
 * - `same`: taken already.
 * - `older`: etcd was put back, or shows what is over.
 * - `forked`: it has a higher number, and was made by somebody who did not know what this node took.
 */
export type Judged = 'newer' | 'same' | 'older' | 'forked'

export function judgeRoster(seen: Seen | undefined, roster: Pick<Roster, 'version' | 'id' | 'recent'>): Judged {
  if (seen === undefined) return 'newer'
  if (roster.id === seen.id) return 'same'
  if (roster.version < seen.version) return 'older'
  if (roster.version === seen.version) return 'forked'
  // Longer ago than a roster tells.
  if (roster.version - seen.version > MOST_RECENT) return 'newer'
  return roster.recent.includes(seen.id) ? 'newer' : 'forked'
}

/**
 * @param id a fresh one. @param others rosters that it settles besides: those of a fork. @param taken versions that
 * cannot be given any more.
 */
export function nextRoster(
  before: Roster | undefined,
  made: Pick<Roster, 'id' | 'node' | 'at' | 'pages'>,
  others: readonly Roster[] = [],
  taken: ReadonlySet<number> = new Set(),
): Roster {
  const known = before === undefined ? others : [before, ...others]
  const recent = known.flatMap((roster) => [roster.id, ...roster.recent])
  let version = 1 + Math.max(0, ...known.map((roster) => roster.version))
  while (taken.has(version)) version++
  return { ...made, version, recent: [...new Set(recent)].slice(0, MOST_RECENT) }
}
