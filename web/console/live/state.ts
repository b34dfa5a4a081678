/** What the stream has told so far: the open grants, the newest events, and how the server is. Pure. */
import type { Grant, LogEvent, ServerState } from '../api.ts'
import { searchText } from '../texts/search-text.ts'

/** Newest events that are kept in the page. Older ones are in the history. */
export const MOST_EVENTS = 2000

/** An event, and its text in lower case, as the filter reads it. */
export interface SeenEvent {
  readonly event: LogEvent
  readonly text: string
}

export interface Live {
  /** Whether the stream has said anything yet. */
  readonly isKnown: boolean
  readonly grants: ReadonlyMap<string, Grant>
  /** Newest first. */
  readonly events: readonly SeenEvent[]
  /** How many events came since the page was opened, with those that are kept no more. */
  readonly seen: number
  /** Events that were lost on the way. The history may have them. */
  readonly lost: number
  readonly server: ServerState | undefined
  /** Milliseconds that the server’s clock is ahead of this one. */
  readonly ahead: number
}

export const NOTHING: Live = {
  isKnown: false,
  grants: new Map(),
  events: [],
  seen: 0,
  lost: 0,
  server: undefined,
  ahead: 0,
}

/** What comes by the stream. Others are passed over. */
export type StreamMessage =
  | { readonly event: 'hello'; readonly data: Hello }
  | { readonly event: 'grants'; readonly data: GrantChange }
  | { readonly event: 'events'; readonly data: { readonly events: readonly LogEvent[] } }
  | { readonly event: 'lost'; readonly data: { readonly count: number } }
  | { readonly event: 'server'; readonly data: ServerState }
  | { readonly event: 'beat'; readonly data: { readonly now: string } }
  | { readonly event: 'bye'; readonly data: { readonly reason?: string } }

export interface Hello {
  readonly now: string
  readonly server: ServerState
  readonly grants: readonly Grant[]
}

export interface GrantChange {
  readonly added?: readonly Grant[]
  readonly changed?: readonly Grant[]
  readonly removed?: readonly string[]
}

/** @param now of this clock, in milliseconds. */
export function applied(live: Live, message: StreamMessage, now: number): Live {
  switch (message.event) {
    case 'hello': {
      const { server, grants } = message.data
      const ahead = Date.parse(message.data.now) - now
      return {
        ...live,
        isKnown: true,
        server,
        grants: new Map(grants.map((grant) => [grant.id, grant])),
        ahead: Number.isFinite(ahead) ? ahead : 0,
      }
    }
    case 'grants': {
      const grants = new Map(live.grants)
      const { added = [], changed = [], removed = [] } = message.data
      for (const id of removed) grants.delete(id)
      for (const grant of [...added, ...changed]) grants.set(grant.id, grant)
      return { ...live, grants }
    }
    case 'events':
      return withEvents(live, message.data.events)
    case 'lost':
      return { ...live, lost: live.lost + message.data.count }
    case 'server':
      return { ...live, server: message.data }
    case 'beat': {
      const ahead = Date.parse(message.data.now) - now
      return Number.isFinite(ahead) ? { ...live, ahead } : live
    }
    default:
      return live
  }
}

/** After a new connection, some come twice. */
function withEvents(live: Live, given: readonly LogEvent[]): Live {
  const last = live.events[0]?.event.id ?? 0
  const fresh = given.filter(({ id }) => id > last)
  if (fresh.length === 0) return live
  const newest = fresh
    .toSorted((one, other) => other.id - one.id)
    .slice(0, MOST_EVENTS)
    .map((event) => ({ event, text: searchText(event) }))
  const events = [...newest, ...live.events.slice(0, MOST_EVENTS - newest.length)]
  return { ...live, events, seen: live.seen + fresh.length }
}

/** What happened between two states, in a sentence for screen readers. */
export function summaryOf(counts: Counts): string {
  const parts = [
    [counts.granted, 'knock granted', 'knocks granted'],
    [counts.refused, 'refused', 'refused'],
    [counts.other, 'other event', 'other events'],
  ] as const
  const said = parts.filter(([count]) => count > 0).map(([count, one, more]) => `${count} ${count === 1 ? one : more}`)
  return said.join(', ')
}

export interface Counts {
  readonly granted: number
  readonly refused: number
  readonly other: number
}

export function counted(counts: Counts, events: readonly LogEvent[]): Counts {
  const granted = events.filter(({ verdict }) => verdict === 'granted').length
  const refused = events.filter(({ verdict }) => verdict === 'refused').length
  return {
    granted: counts.granted + granted,
    refused: counts.refused + refused,
    other: counts.other + events.length - granted - refused,
  }
}
