/** The list of live grants: what is shown, in which order. Pure. */
import type { Grant } from '../api.ts'
import { type Sorting, sortedBy } from '../parts/rows.ts'
import { isFound, wordsOf } from './search-text.ts'

export function shownGrants(grants: Iterable<Grant>, filter: string, { by, isDown }: Sorting): readonly Grant[] {
  const words = wordsOf(filter)
  const found = [...grants].filter((grant) => words.length === 0 || isFound(words, textOf(grant)))
  return sortedBy(found, KEYS[by] ?? leftKey, ({ id }) => id, isDown)
}

// Times of one form sort as text, and need not be read: there may be thousands, several times a second.
const leftKey = ({ until }: Grant): string | number => until ?? '~'
const KEYS: Readonly<Record<string, (grant: Grant) => string | number>> = {
  owner: (grant) => ownerOf(grant).toLowerCase(),
  source: ({ source }) => addressKey(source),
  opens: ({ opens }) => opens.join(' '),
  left: leftKey,
}

/** The stanza whose keys opened it. */
export function ownerOf({ name }: Grant): string {
  return name ?? 'a stanza without a name'
}

/** Numbers of IPv4 addresses in their order; IPv6 after them. */
function addressKey(source: string): string {
  const parts = source.split('.')
  return parts.length === 4 ? parts.map((part) => part.padStart(3, '0')).join('.') : `~${source}`
}

function textOf({ id, source, opens, name = '', user = '', kind = '' }: Grant): string {
  return [id, source, opens.join(' '), name, user, kind].join('\n').toLowerCase()
}

/** `4:31`, `1:02:03`, `3 d 04:00`. @param milliseconds until the end; none: it has ended. */
export function timeLeft(milliseconds: number): string {
  const all = Math.max(0, Math.ceil(milliseconds / 1000))
  const [days, hours, minutes, seconds] = [
    Math.floor(all / 86_400),
    Math.floor(all / 3600) % 24,
    Math.floor(all / 60) % 60,
    all % 60,
  ]
  const two = (value: number) => String(value).padStart(2, '0')
  if (days > 0) return `${days} d ${two(hours)}:${two(minutes)}`
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}
