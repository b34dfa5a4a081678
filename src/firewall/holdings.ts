/**
 * Counts the places of the firewall by holder, and chooses which grants end when no place is left. Each public port of
 * each grant takes one place. Three rules prevent one key holder from keeping the others out:
 *
 * 1. Grants for one address (IPv6: one /64 network) have a share of the places, and never more.
 * 2. If no place is left, the stanza that holds the most places gives one up. It does so only for a stanza that holds
 *    fewer, even with the new grant.
 * 3. A grant is first-hand if the client asked for its own address, and second-hand if it asked for another one. A
 *    first-hand grant may take the place of a second-hand one: of its own stanza, or of a stanza that holds as many.
 *
 * Of several grants that may end, a second-hand one ends first. Among equals, the one that ends soonest.
 */
import type { Grant } from '../access/grant.ts'
import { type AddressFamily, familyOf, type IpAddress, maskAddress } from '../packet/address.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { FirewallFailure } from './firewall.ts'
import { Soonest } from './soonest.ts'

/** An IPv6 host can use a whole network, to ask from and to ask for. */
const NETWORK_OF_ONE = 64
/** One address may have the places divided by this, but at least the ports of one packet. */
const SHARE_DIVISOR = 16
const SMALLEST_SHARE = 64

/** How many places grants for one address may take, of `capacity` in its family. */
export function shareOfOneSource(capacity: number): number {
  return Math.min(capacity, Math.max(SMALLEST_SHARE, Math.floor(capacity / SHARE_DIVISOR)))
}

/** The facts about a live grant that decide about places. */
export interface Held {
  readonly grant: Grant
  /** When it ends, in milliseconds. */
  readonly until: number
  readonly places: number
}

/** A stanza, by its name if it has one: numbers change when stanzas are removed. */
type Stanza = NonNullable<Grant['stanzaName']> | Grant['stanza']

interface Holding<Entry extends Held> {
  places: number
  /** Grants that a client asked for at another address than its own. */
  readonly secondHand: Soonest<Entry>
  readonly firstHand: Soonest<Entry>
}

/** What a stanza holds of the places that are short. */
interface Candidate<Entry extends Held> {
  readonly stanza: Stanza
  readonly places: number
  secondHand(): Entry | undefined
  firstHand(): Entry | undefined
}

export class Holdings<Entry extends Held> {
  readonly #capacity: number
  readonly #share: number
  readonly #isHeld: (entry: Entry) => boolean
  readonly #places: Record<AddressFamily, number> = { 4: 0, 6: 0 }
  readonly #stanzas: Record<AddressFamily, Map<Stanza, Holding<Entry>>> = { 4: new Map(), 6: new Map() }
  readonly #sources = new Map<IpAddress, Entry[]>()

  /**
   * @param capacity places in each address family.
   * @param isHeld whether an entry was added and not removed.
   */
  constructor(capacity: number, isHeld: (entry: Entry) => boolean) {
    this.#capacity = capacity
    this.#share = shareOfOneSource(capacity)
    this.#isHeld = isHeld
  }

  add(entry: Entry): void {
    const { source, firstHand } = entry.grant
    const family = familyOf(source)
    const holding = this.#holdingOf(family, stanzaOf(entry.grant))
    holding.places += entry.places
    this.#places[family] += entry.places
    holding[firstHand ? 'firstHand' : 'secondHand'].push(entry)
    const network = networkOf(source)
    const neighbours = this.#sources.get(network)
    if (neighbours === undefined) this.#sources.set(network, [entry])
    else neighbours.push(entry)
  }

  /** @param entry that is not held any more. */
  remove(entry: Entry): void {
    const { source } = entry.grant
    const family = familyOf(source)
    const stanza = stanzaOf(entry.grant)
    const holding = this.#holdingOf(family, stanza)
    holding.places -= entry.places
    this.#places[family] -= entry.places
    if (holding.places === 0) this.#stanzas[family].delete(stanza)
    const network = networkOf(source)
    const neighbours = this.#sources.get(network)?.filter((other) => other !== entry) ?? []
    if (neighbours.length === 0) this.#sources.delete(network)
    else this.#sources.set(network, neighbours)
  }

  /** Entries that ended at `moment` or before. Remove each before asking for the next. */
  *ended(moment: number): Generator<Entry> {
    for (const family of [4, 6] as const) {
      for (const { secondHand, firstHand } of this.#stanzas[family].values()) {
        for (const heap of [secondHand, firstHand]) {
          for (let top = heap.peek(); top !== undefined && top.until <= moment; top = heap.peek()) yield top
        }
      }
    }
  }

  /** Whether `places` more are free for `source`, so that no grant must end. */
  hasRoom(source: IpAddress, places: number): boolean {
    return this.#isFree(source, places) && this.#placesOf(source) + places <= this.#share
  }

  /**
   * The next entry that must end so that a grant gets its places; none if there is room. The caller removes it and asks
   * again.
   * @param places how many more it needs.
   * @param displaced what already ended for it: places that its own stanza gave up still count as held by that stanza.
   * @returns `FIREWALL_FULL` if nothing may be displaced for it.
   */
  toDisplace(
    grant: Grant,
    places: number,
    displaced: readonly Entry[] = [],
  ): Result<Entry | undefined, FirewallFailure> {
    const { source } = grant
    if (this.hasRoom(source, places)) return ok(undefined)
    // Which limit is reached: the share of one address, or the capacity of all. A share that is all is no limit.
    const isOverShare = this.#share < this.#capacity && this.#placesOf(source) + places > this.#share
    // A grant that can never fit displaces nothing.
    const most = isOverShare ? this.#share : this.#capacity
    const candidates = isOverShare ? this.#candidatesOf(source) : this.#candidatesIn(familyOf(source))
    const gaveUp = displaced.filter((entry) => stanzaOf(entry.grant) === stanzaOf(grant))
    const given = gaveUp.reduce((sum, entry) => sum + entry.places, 0)
    const entry = places > most ? undefined : pick(candidates, grant, places, given)
    return entry === undefined ? refuse('FIREWALL_FULL', this.#why(source, places, isOverShare)) : ok(entry)
  }

  #isFree(source: IpAddress, places: number): boolean {
    return this.#places[familyOf(source)] + places <= this.#capacity
  }

  #why(source: IpAddress, places: number, isOverShare: boolean): string {
    const family = familyOf(source)
    const more = `${places} more ${places === 1 ? 'is' : 'are'} asked for`
    if (!isOverShare)
      return `${this.#places[family]} of ${this.#capacity} places for IPv${family} are taken, and ${more}`
    const whose = family === 4 ? source : `${networkOf(source)}/${NETWORK_OF_ONE}`
    return `grants for ${whose} have ${this.#placesOf(source)} of the ${this.#share} places that one address may have, and ${more}`
  }

  #placesOf(source: IpAddress): number {
    let places = 0
    for (const entry of this.#sources.get(networkOf(source)) ?? []) places += entry.places
    return places
  }

  *#candidatesIn(family: AddressFamily): Generator<Candidate<Entry>> {
    for (const [stanza, { places, secondHand, firstHand }] of this.#stanzas[family])
      yield { stanza, places, secondHand: () => secondHand.peek(), firstHand: () => firstHand.peek() }
  }

  *#candidatesOf(source: IpAddress): Generator<Candidate<Entry>> {
    const byStanza = new Map<Stanza, Entry[]>()
    for (const entry of this.#sources.get(networkOf(source)) ?? []) {
      const stanza = stanzaOf(entry.grant)
      const entries = byStanza.get(stanza)
      if (entries === undefined) byStanza.set(stanza, [entry])
      else entries.push(entry)
    }
    for (const [stanza, entries] of byStanza) {
      const soonest = (firstHand: boolean) => () =>
        entries
          .filter(({ grant }) => grant.firstHand === firstHand)
          .reduce<Entry | undefined>((best, entry) => (best && best.until <= entry.until ? best : entry), undefined)
      const places = entries.reduce((sum, entry) => sum + entry.places, 0)
      yield { stanza, places, secondHand: soonest(false), firstHand: soonest(true) }
    }
  }

  #holdingOf(family: AddressFamily, stanza: Stanza): Holding<Entry> {
    const known = this.#stanzas[family].get(stanza)
    if (known !== undefined) return known
    const made = {
      places: 0,
      secondHand: new Soonest<Entry>(this.#isHeld),
      firstHand: new Soonest<Entry>(this.#isHeld),
    }
    this.#stanzas[family].set(stanza, made)
    return made
  }
}

/** Rules 2 and 3 of the head of this file. */
function pick<Entry extends Held>(
  candidates: Iterable<Candidate<Entry>>,
  grant: Grant,
  places: number,
  given: number,
): Entry | undefined {
  const all = [...candidates]
  const asking = stanzaOf(grant)
  const own = given + (all.find(({ stanza }) => stanza === asking)?.places ?? 0)
  for (const candidate of all.toSorted((one, other) => other.places - one.places)) {
    const isOwn = candidate.stanza === asking
    const mayGo = !isOwn && candidate.places > own + places
    const yields = mayGo || (grant.firstHand && (isOwn || candidate.places >= own))
    const secondHand = yields ? candidate.secondHand() : undefined
    const entry = secondHand ?? (mayGo ? candidate.firstHand() : undefined)
    if (entry !== undefined) return entry
  }
  return undefined
}

function stanzaOf({ stanza, stanzaName }: Grant): Stanza {
  return stanzaName ?? stanza
}

/** An address as one host has it: all of a /64 in IPv6. */
export function networkOf(source: IpAddress): IpAddress {
  return familyOf(source) === 4 ? source : maskAddress(source, NETWORK_OF_ONE)
}
