/**
 * The book of what is open: which grants are live, which doors they hold open, until when. Grants may share a door (the
 * same port asked for alone and among others); a door stands open as long as its longest holder. Pure: time is an
 * argument, and every admission can be undone, for when the kernel says no.
 */
import { type Grant, type GrantId, grantId } from '../access/grant.ts'
import { describeStanza } from '../access/stanza-name.ts'
import { type AddressFamily, familyOf } from '../packet/address.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'
import { type Door, doorsOf } from './doors.ts'
import type { FirewallFailure, Opened } from './firewall.ts'

/** A moment of a clock that never jumps, in milliseconds. */
export type Instant = Brand<number, 'Instant'>

/** A live grant, as the book has it. */
export interface Entry {
  /** Told from all other grants of this book's time. */
  readonly number: number
  readonly grant: Grant
  readonly until: Instant
  /** Without repetitions. */
  readonly doors: readonly Door[]
}

/** Moves the end of a door. */
export interface DoorChange {
  readonly door: Door
  /** When it ends, or ended: another clock may see it open a little longer. Absent: not open, for all that we know. */
  readonly from?: Instant
  /** When it ends from now on. Absent: now. */
  readonly to?: Instant
}

/** What an admission or a revocation did: all that another record of the same truth has to follow. */
export interface Change {
  readonly id: GrantId
  readonly before?: Entry
  readonly after?: Entry
  /** Live grants that ended because `after` alone was first-hand. */
  readonly ousted?: readonly Entry[]
  /** In the order in which they happened: a door may close for one holder and open for another. */
  readonly doors: readonly DoorChange[]
}

/** What {@link Firewall.open} tells of an admission. */
export function endedBy({ ousted }: Change): Opened {
  return ousted && { ended: ousted.map(({ grant }) => grant) }
}

interface OpenDoor {
  readonly door: Door
  /** Not empty. */
  readonly holders: Map<GrantId, Instant>
}

/** How often, and for how long after its end, what has ended is swept out. It does not count as live meanwhile. */
const SWEEP_INTERVAL = 1_000
const LINGER = 1_000

export class Book {
  readonly #capacity: number
  readonly #grants = new Map<GrantId, Entry>()
  readonly #doors = new Map<string, OpenDoor>()
  readonly #ways: Record<AddressFamily, number> = { 4: 0, 6: 0 }
  #numbers = 0
  #swept = Number.NEGATIVE_INFINITY

  /** @param capacity how many public ports may be open at once, counted for each source, in each address family. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /**
   * Writes a grant in, or starts its lifetime anew.
   * @param until its end; later ends that the book knows of win. Default: `now` and its lifetime.
   * @returns what changed. `FIREWALL_FULL` beyond the capacity; `FIREWALL_REFUSED` where a door leads elsewhere already,
   *   and the grant that says so has to stay.
   */
  admit(grant: Grant, now: Instant, until = (now + grant.lifetime * 1000) as Instant): Result<Change, FirewallFailure> {
    if (now - this.#swept > SWEEP_INTERVAL) this.sweep(now, LINGER)
    const id = grantId(grant.source, grant.openings)
    const doors: Door[] = []
    const ousted = new Map<GrantId, Entry>()
    for (const door of doorsOf(grant)) {
      const twin = doors.find(({ key }) => key === door.key)
      if (twin !== undefined && twin.answer !== door.answer) {
        return refuse('FIREWALL_REFUSED', `${door.key} cannot lead to ${twin.answer} and to ${door.answer} at once`)
      }
      if (twin !== undefined) continue
      doors.push(door)
      const open = this.#doors.get(door.key)
      if (open === undefined || open.door.answer === door.answer) continue
      const end = endOf(open, now)
      if (end === undefined) continue
      const holders = this.#holders(open, now)
      // Whoever may ask for another's address could otherwise keep its owner out, by leading the same port elsewhere first.
      if (grant.firstHand && holders.every((holder) => !holder.grant.firstHand)) {
        for (const holder of holders) ousted.set(holder.grant.id, holder)
        continue
      }
      const left = Math.ceil((end - now) / 1000)
      const where = `${open.door.answer} for ${left} s more${grantedBy(holders)}, not to ${door.answer}`
      return refuse('FIREWALL_REFUSED', `${door.key} leads to ${where}`)
    }
    const family = familyOf(grant.source)
    if (this.#ways[family] + this.#missing(doors) > this.#capacity) this.sweep(now)
    // Counted again: a door of this grant's own may have been swept out.
    const fresh = this.#missing(doors)
    if (this.#ways[family] + fresh > this.#capacity) {
      return refuse(
        'FIREWALL_FULL',
        `${this.#ways[family]} of ${this.#capacity} IPv${family} doors are open, ${fresh} more are asked for`,
      )
    }

    const changes: DoorChange[] = []
    for (const [other, entry] of ousted) {
      this.#grants.delete(other)
      for (const door of entry.doors) changes.push(...this.#release(door, other, now))
    }
    const before = this.#grants.get(id)
    const live = before !== undefined && before.until > now ? before : undefined
    const end = live !== undefined && live.until > until ? live.until : until
    const firstHand = grant.firstHand || (live?.grant.firstHand ?? false)
    const number = live?.number ?? ++this.#numbers
    const after: Entry = { number, grant: { ...grant, firstHand }, until: end, doors }
    this.#grants.set(id, after)
    for (const door of doors) changes.push(...this.#hold(door, id, end, now))
    return ok({
      id,
      after,
      doors: changes,
      ...(live === undefined ? {} : { before: live }),
      ...(ousted.size === 0 ? {} : { ousted: [...ousted.values()] }),
    })
  }

  /** Takes a grant out. @returns what changed; `undefined` where it was not live. */
  revoke(id: GrantId, now: Instant): Change | undefined {
    const before = this.#grants.get(id)
    if (before === undefined || before.until <= now) return undefined
    this.#grants.delete(id)
    return { id, before, doors: before.doors.flatMap((door) => this.#release(door, id, now)) }
  }

  /** Puts things back as they were before `change`, which must be the latest that has not been undone. */
  undo(change: Change, now: Instant): void {
    if (change.before === undefined) this.#grants.delete(change.id)
    else this.#grants.set(change.id, change.before)
    for (const door of (change.after ?? change.before)?.doors ?? []) {
      if (change.before === undefined) this.#release(door, change.id, now)
      else this.#hold(door, change.id, change.before.until, now)
    }
    for (const entry of change.ousted ?? []) {
      this.#grants.set(entry.grant.id, entry)
      for (const door of entry.doors) this.#hold(door, entry.grant.id, entry.until, now)
    }
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

  /** The open door of this key, if any: what a packet would meet. */
  lookUp(key: string, now: Instant): Door | undefined {
    const open = this.#doors.get(key)
    return open !== undefined && endOf(open, now) !== undefined ? open.door : undefined
  }

  /** The live grants that hold the door of this key open. */
  holders(key: string, now: Instant): readonly Entry[] {
    const open = this.#doors.get(key)
    return open === undefined ? [] : this.#holders(open, now)
  }

  /** Forgets what ended more than `linger` milliseconds ago. */
  sweep(now: Instant, linger = 0): void {
    this.#swept = now
    for (const [id, { until, doors }] of this.#grants) {
      if (until > now - linger) continue
      this.#grants.delete(id)
      for (const door of doors) this.#release(door, id, now)
    }
  }

  /** How many of these are ways that the book does not have. */
  #missing(doors: readonly Door[]): number {
    return doors.filter(({ kind, key }) => kind === 'way' && !this.#doors.has(key)).length
  }

  /** The live grants that keep a door open. */
  #holders(open: OpenDoor, now: Instant): readonly Entry[] {
    return [...open.holders].flatMap(([id, until]) => {
      const entry = until > now ? this.#grants.get(id) : undefined
      return entry === undefined ? [] : [entry]
    })
  }

  #hold(door: Door, id: GrantId, until: Instant, now: Instant): readonly DoorChange[] {
    const changes: DoorChange[] = []
    let open = this.#doors.get(door.key)
    let from = open === undefined ? undefined : lastEndOf(open)
    if (open === undefined || open.door.answer !== door.answer) {
      if (open !== undefined) changes.push(change(open.door, from, undefined))
      from = undefined
      // One that led elsewhere has ended, or admit() would have refused; only the sweep has not come by yet.
      if (open === undefined && door.kind === 'way') this.#ways[familyOf(door.source)]++
      open = { door, holders: new Map() }
      this.#doors.set(door.key, open)
    }
    open.holders.set(id, until)
    changes.push(change(door, from, endOf(open, now)))
    return changes
  }

  #release(door: Door, id: GrantId, now: Instant): readonly DoorChange[] {
    const open = this.#doors.get(door.key)
    if (open === undefined || open.door.answer !== door.answer) return []
    const from = lastEndOf(open)
    open.holders.delete(id)
    if (open.holders.size === 0) {
      this.#doors.delete(door.key)
      if (door.kind === 'way') this.#ways[familyOf(door.source)]--
    }
    return [change(door, from, endOf(open, now))]
  }
}

/** ` (granted by stanza alice)`: of several holders, the one that ends last. */
function grantedBy(holders: readonly Entry[]): string {
  const [last] = holders.toSorted((one, other) => other.until - one.until)
  return last === undefined ? '' : ` (granted by ${describeStanza(last.grant.stanza, last.grant.stanzaName)})`
}

/** The latest end among the holders; `undefined` when all have ended. */
function endOf(open: OpenDoor, now: Instant): Instant | undefined {
  let end: Instant | undefined
  for (const until of open.holders.values()) if (until > now && (end === undefined || until > end)) end = until
  return end
}

function lastEndOf(open: OpenDoor): Instant {
  let end = Number.NEGATIVE_INFINITY
  for (const until of open.holders.values()) if (until > end) end = until
  return end as Instant
}

function change(door: Door, from: Instant | undefined, to: Instant | undefined): DoorChange {
  return { door, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
}
