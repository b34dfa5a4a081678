/**
 * The book of what is open: which grants are live, which doors they hold open, and until when. Grants may share a door,
 * for example the same port asked for alone and among others. A door stays open as long as its longest holder. Pure:
 * time is an argument. Every admission can be undone, for when the kernel refuses it.
 */
import { type Grant, type GrantId, grantId } from '../access/grant.ts'
import { describeStanza } from '../access/stanza-name.ts'
import { ok, type Result, refuse } from '../result.ts'
import { type Brand, milliseconds } from '../units.ts'
import { type Door, doorsOf } from './doors.ts'
import type { FirewallFailure, Opened } from './firewall.ts'
import { Holdings } from './holdings.ts'

/** A moment of a clock that never jumps, in milliseconds. */
export type Instant = Brand<number, 'Instant'>

/** A live grant in the book. */
export interface Entry {
  /** Unique within this book. 1 to 2^32 - 1. */
  readonly number: number
  readonly grant: Grant
  readonly until: Instant
  /** Without repetitions. */
  readonly doors: readonly Door[]
  /** How many of its doors are ways in: what it takes of the capacity. */
  readonly places: number
}

/** Moves the end of a door. */
export interface DoorChange {
  readonly door: Door
  /** When it ends, or ended: by another clock it may be open a little longer. Absent: not open, as far as is known. */
  readonly from?: Instant
  /** When it ends from now on. Absent: now. */
  readonly to?: Instant
}

/** What an admission or a revocation changed: all that other records of the same state must follow. */
export interface Change {
  readonly id: GrantId
  readonly before?: Entry
  readonly after?: Entry
  /** Live grants that ended because `after` alone was first-hand, and they led a port of its source elsewhere. */
  readonly ousted?: readonly Entry[]
  /** Live grants that ended because `after` needed their places. */
  readonly displaced?: readonly Entry[]
  /** In order: a door may close for one holder and open for another. */
  readonly doors: readonly DoorChange[]
}

/** What {@link Firewall.open} reports of an admission. */
export function endedBy({ ousted, displaced }: Change): Opened {
  if (ousted === undefined && displaced === undefined) return undefined
  return {
    ...(ousted && { ended: ousted.map(({ grant }) => grant) }),
    ...(displaced && { displaced: displaced.map(({ grant }) => grant) }),
  }
}

interface OpenDoor {
  readonly door: Door
  /** Not empty. */
  readonly holders: Entry[]
}

/**
 * How often ended grants are removed, and for how long after their end they stay. They do not count as live meanwhile.
 */
const SWEEP_INTERVAL = milliseconds(1000)
const LINGER = milliseconds(1000)
const MOST_NUMBERS = 2 ** 32 - 1

export class Book {
  readonly #grants = new Map<GrantId, Entry>()
  readonly #doors = new Map<string, OpenDoor>()
  readonly #holdings: Holdings<Entry>
  #lastNumber = 0
  #swept = Number.NEGATIVE_INFINITY

  /** @param capacity places in each address family: each public port of each grant takes one. */
  constructor(capacity: number) {
    this.#holdings = new Holdings(capacity, (entry) => this.#grants.get(entry.grant.id) === entry)
  }

  /**
   * Adds a grant, or starts its lifetime again. An end that the book knows is never moved to an earlier time.
   * @returns what changed. `FIREWALL_FULL` if there is no place for it (`holdings.ts`); `FIREWALL_REFUSED` if a door
   * already leads elsewhere, and the grant that holds it must stay.
   */
  admit(grant: Grant, now: Instant): Result<Change, FirewallFailure> {
    if (now - this.#swept > SWEEP_INTERVAL) this.sweep(now, LINGER)
    const id = grantId(grant.source, grant.openings)
    const doors = distinctDoors(grant)
    if (!doors.ok) return doors
    const contradicted = this.#contradicted(grant, doors.value, now)
    if (!contradicted.ok) return contradicted
    const ousted = contradicted.value
    const known = this.#grants.get(id)
    const before = known !== undefined && known.until > now ? known : undefined
    const after = this.#entryOf(grant, id, doors.value, before, now)
    const changes: DoorChange[] = []
    if (before === undefined && !this.#holdings.hasRoom(grant.source, after.places)) this.sweep(now)
    for (const entry of ousted) changes.push(...this.#leave(entry, now))
    const displaced: Entry[] = []
    while (before === undefined) {
      const next = this.#holdings.toDisplace(grant, after.places, displaced)
      if (!next.ok) {
        for (const entry of [...ousted, ...displaced]) this.#enter(entry, now)
        return next
      }
      if (next.value === undefined) break
      displaced.push(next.value)
      changes.push(...this.#leave(next.value, now))
    }
    changes.push(...this.#enter(after, now))
    return ok({
      id,
      after,
      doors: changes,
      ...(before && { before }),
      ...(ousted.length > 0 && { ousted }),
      ...(displaced.length > 0 && { displaced }),
    })
  }

  /**
   * Adds a grant from its record, with its recorded end and number. No other grant ends for it.
   * @returns whether there was room for it, and no other grant contradicts it.
   */
  restore(grant: Grant, number: number, until: Instant, now: Instant): boolean {
    const doors = distinctDoors(grant)
    if (!doors.ok) return false
    const contradicted = this.#contradicted({ ...grant, firstHand: false }, doors.value, now)
    if (!contradicted.ok) return false
    const known = this.#grants.get(grant.id)
    if (known !== undefined && known.until >= until) return true
    const places = doors.value.filter(isWay).length
    if (known === undefined && !this.#holdings.hasRoom(grant.source, places)) return false
    this.#lastNumber = Math.max(this.#lastNumber, number)
    this.#enter({ number, grant, until, doors: doors.value, places }, now)
    return true
  }

  /** Removes a grant. @returns what changed; `undefined` if it was not live. */
  revoke(id: GrantId, now: Instant): Change | undefined {
    const before = this.#grants.get(id)
    if (before === undefined || before.until <= now) return undefined
    return { id, before, doors: this.#leave(before, now) }
  }

  /** Restores the state before `change`, which must be the latest change that is not undone. */
  undo({ before, after, ousted = [], displaced = [] }: Change, now: Instant): void {
    if (before !== undefined) this.#enter(before, now)
    else if (after !== undefined) this.#leave(after, now)
    for (const entry of [...ousted, ...displaced]) this.#enter(entry, now)
  }

  /** Every live grant. */
  live(now: Instant): readonly Entry[] {
    return [...this.#grants.values()].filter((entry) => entry.until > now)
  }

  /** Every open door, with its end. */
  open(now: Instant): readonly { readonly door: Door; readonly until: Instant }[] {
    return [...this.#doors.values()].flatMap((open) => {
      const until = endOf(open, now)
      return until === undefined ? [] : [{ door: open.door, until }]
    })
  }

  /** The open door of this key, if any: what a packet would find. */
  lookUp(key: string, now: Instant): Door | undefined {
    const open = this.#doors.get(key)
    return open !== undefined && endOf(open, now) !== undefined ? open.door : undefined
  }

  /** The live grants that hold the door of this key open. */
  holders(key: string, now: Instant): readonly Entry[] {
    const open = this.#doors.get(key)
    return open === undefined ? [] : open.holders.filter(({ until }) => until > now)
  }

  /** Forgets grants that ended more than `linger` milliseconds ago. */
  sweep(now: Instant, linger = 0): void {
    this.#swept = now
    for (const entry of this.#holdings.ended(now - linger)) this.#leave(entry, now)
  }

  /** The live grants that lead a door of this grant elsewhere, and that end in its favour. */
  #contradicted(grant: Grant, doors: readonly Door[], now: Instant): Result<readonly Entry[], FirewallFailure> {
    const ousted = new Set<Entry>()
    for (const door of doors) {
      const open = this.#doors.get(door.key)
      if (open === undefined || open.door.answer === door.answer) continue
      const end = endOf(open, now)
      if (end === undefined) continue
      const holders = open.holders.filter(({ until }) => until > now)
      // Otherwise somebody who asks for another's address could lead its port elsewhere first, and so keep its owner
      // out.
      if (grant.firstHand && holders.every((holder) => !holder.grant.firstHand)) {
        for (const holder of holders) ousted.add(holder)
        continue
      }
      const left = Math.ceil((end - now) / 1000)
      const where = `${open.door.answer} for ${left} s more${grantedBy(holders)}, not to ${door.answer}`
      return refuse('FIREWALL_REFUSED', `${door.key} leads to ${where}`)
    }
    return ok([...ousted])
  }

  #entryOf(grant: Grant, id: GrantId, doors: readonly Door[], before: Entry | undefined, now: Instant): Entry {
    const end = (now + grant.lifetime * 1000) as Instant
    // A request for another's address does not take over the grant of that address's owner.
    const keeps = before?.grant.firstHand === true && !grant.firstHand
    return {
      number: before?.number ?? this.#nextNumber(),
      grant: keeps ? { ...before.grant, lifetime: grant.lifetime } : { ...grant, id },
      until: before !== undefined && before.until > end ? before.until : end,
      doors,
      places: doors.filter(isWay).length,
    }
  }

  #nextNumber(): number {
    this.#lastNumber = this.#lastNumber >= MOST_NUMBERS ? 1 : this.#lastNumber + 1
    return this.#lastNumber
  }

  /** Adds an entry, or replaces the entry of the same grant. @returns how this moves the ends of its doors. */
  #enter(entry: Entry, now: Instant): readonly DoorChange[] {
    const { id } = entry.grant
    const before = this.#grants.get(id)
    this.#grants.set(id, entry)
    if (before !== undefined) this.#holdings.remove(before)
    this.#holdings.add(entry)
    return entry.doors.flatMap((door) => this.#hold(door, entry, now))
  }

  /** Removes an entry. @returns how this moves the ends of its doors. */
  #leave(entry: Entry, now: Instant): readonly DoorChange[] {
    const { id } = entry.grant
    const held = this.#grants.get(id)
    if (held === undefined) return []
    this.#grants.delete(id)
    this.#holdings.remove(held)
    return held.doors.flatMap((door) => this.#release(door, id, now))
  }

  #hold(door: Door, entry: Entry, now: Instant): readonly DoorChange[] {
    const changes: DoorChange[] = []
    let open = this.#doors.get(door.key)
    let from = open === undefined ? undefined : lastEndOf(open)
    if (open === undefined || open.door.answer !== door.answer) {
      // A door that led elsewhere has ended, or admit() would have refused. Only the sweep has not removed it yet.
      if (open !== undefined) changes.push(change(open.door, from, undefined))
      from = undefined
      open = { door, holders: [] }
      this.#doors.set(door.key, open)
    }
    const at = open.holders.findIndex(({ grant }) => grant.id === entry.grant.id)
    if (at < 0) open.holders.push(entry)
    else open.holders[at] = entry
    changes.push(change(door, from, endOf(open, now)))
    return changes
  }

  #release(door: Door, id: GrantId, now: Instant): readonly DoorChange[] {
    const open = this.#doors.get(door.key)
    if (open === undefined || open.door.answer !== door.answer) return []
    const at = open.holders.findIndex(({ grant }) => grant.id === id)
    if (at < 0) return []
    const from = lastEndOf(open)
    open.holders.splice(at, 1)
    if (open.holders.length === 0) this.#doors.delete(door.key)
    return [change(door, from, endOf(open, now))]
  }
}

/** Without repetitions. Refused if one door would lead to two places. */
function distinctDoors(grant: Grant): Result<readonly Door[], FirewallFailure> {
  const doors = new Map<string, Door>()
  for (const door of doorsOf(grant)) {
    const twin = doors.get(door.key)
    if (twin !== undefined && twin.answer !== door.answer) {
      return refuse('FIREWALL_REFUSED', `${door.key} cannot lead to ${twin.answer} and to ${door.answer} at once`)
    }
    doors.set(door.key, door)
  }
  return ok([...doors.values()])
}

function isWay({ kind }: Door): boolean {
  return kind !== 'translation'
}

/** ` (granted by stanza alice)`: of several holders, the one that ends last. */
function grantedBy(holders: readonly Entry[]): string {
  const [last] = holders.toSorted((one, other) => other.until - one.until)
  return last === undefined ? '' : ` (granted by ${describeStanza(last.grant.stanza, last.grant.stanzaName)})`
}

/** The latest end of the holders; `undefined` if all have ended. */
function endOf(open: OpenDoor, now: Instant): Instant | undefined {
  const end = lastEndOf(open)
  return end > now ? end : undefined
}

function lastEndOf({ holders }: OpenDoor): Instant {
  let end = Number.NEGATIVE_INFINITY
  for (const { until } of holders) if (until > end) end = until
  return end as Instant
}

function change(door: Door, from: Instant | undefined, to: Instant | undefined): DoorChange {
  return { door, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
}
