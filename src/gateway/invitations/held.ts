/**
 * Invitations that the gateway holds, each in a file of the state folder: hashes, and what only the device and the
 * server can read. A change is on disk before anybody is told of it. So a crash loses no claim that was answered, and
 * nobody can claim a second time after one.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { jsonLine } from '../../bytes/text.ts'
import { either, literal, parsed, type Read, record } from '../../json-reader.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { draftedFile } from '../../system/drafts.ts'
import type { StateFailure, StateFolder } from '../../system/state-folder.ts'
import type { UnixSeconds } from '../../units.ts'
import { deviceKey, hex32, moment, sealedProfile } from './requests.ts'

/** How many are held at once. */
export const MOST_HELD = 200
/** The longest time in which one can be claimed, in seconds: 30 days, and a day for clocks that differ. */
export const LONGEST = 31 * 86_400
/** How long one is held after that time: for the confirmation, and for the device to fetch the profile. */
export const KEPT = 7 * 86_400

const claim = record({ device: deviceKey, tag: hex32, at: moment }, { from: parsed(parseAddress) })
const readHeld = record(
  {
    version: literal('1'),
    id: hex32,
    /** SHA-256 of the key of the server that registered it. */
    keyHash: hex32,
    until: moment,
    state: either(literal('open'), literal('claimed'), literal('delivered'), literal('fetched')),
  },
  { claim, sealed: sealedProfile },
)
type Held = Read<typeof readHeld>
/** The first claim. `from`: the address of the visitor. */
export type HeldClaim = Read<typeof claim>

/** What the server is told. */
export type About =
  | { readonly state: 'unknown' | 'open' }
  | { readonly state: 'claimed' | 'delivered' | 'fetched'; readonly claim: HeldClaim }

const FILE = /^invitation-[0-9a-f]{64}\.json$/

export class HeldInvitations {
  readonly #state: StateFolder
  readonly #held: Map<string, Held>

  private constructor(state: StateFolder, held: Map<string, Held>) {
    this.#state = state
    this.#held = held
  }

  /** @returns CONFIG_UNREADABLE for a damaged file: to pass over it could let somebody claim a second time. */
  static open(state: StateFolder): Result<HeldInvitations, StateFailure> {
    const names = state.list()
    if (!names.ok) return names
    const held = new Map<string, Held>()
    // Left by a process that was killed while it wrote.
    for (const name of names.value.filter((one) => FILE.test(draftedFile(one) ?? ''))) state.remove(name)
    for (const name of names.value.filter((one) => FILE.test(one))) {
      const text = state.read(name)
      if (!text.ok) return text
      const read = parseHeld(text.value ?? '')
      if (read === undefined || fileOf(read.id) !== name)
        return refuse('CONFIG_UNREADABLE', `${state.path}/${name} is damaged: delete it. Its invitation is lost then`)
      held.set(read.id, read)
    }
    return ok(new HeldInvitations(state, held))
  }

  get size(): number {
    return this.#held.size
  }

  /** @returns `taken`: somebody else registered this name. */
  register(
    id: string,
    key: string,
    until: UnixSeconds,
    now: UnixSeconds,
  ): 'held' | 'taken' | 'full' | 'too long' | 'not kept' {
    this.#sweep(now)
    if (until > now + LONGEST || until <= now) return 'too long'
    const before = this.#held.get(id)
    // A server that did not get the answer asks again.
    if (before !== undefined) return isKeyOf(before, key) && before.state === 'open' ? 'held' : 'taken'
    if (this.#held.size >= MOST_HELD) return 'full'
    return this.#keep({ version: '1', id, keyHash: hashOf(key), until, state: 'open' }) ? 'held' : 'not kept'
  }

  /**
   * The first claim counts.
   * @returns `claimed` also for the same device once more: it may not have got the answer. `ended` for all else: never
   * registered, claimed by somebody else, its time over, cancelled.
   */
  claim(id: string, made: Omit<HeldClaim, 'at'>, now: UnixSeconds): 'claimed' | 'ended' | 'not kept' {
    const held = this.#held.get(id)
    if (held === undefined) return 'ended'
    if (held.claim !== undefined)
      return held.claim.device === made.device && held.claim.tag === made.tag ? 'claimed' : 'ended'
    if (held.until <= now) return 'ended'
    return this.#keep({ ...held, state: 'claimed', claim: { ...made, at: now } }) ? 'claimed' : 'not kept'
  }

  /** What the device that claimed is told. */
  poll(id: string, device: string, now: UnixSeconds): { readonly sealed?: string } | 'ended' {
    const held = this.#held.get(id)
    if (held?.claim === undefined || held.claim.device !== device || held.until + KEPT <= now) return 'ended'
    if (held.sealed === undefined) return {}
    if (held.state === 'delivered') this.#keep({ ...held, state: 'fetched' })
    return { sealed: held.sealed }
  }

  about(id: string, key: string): About {
    const held = this.#of(id, key)
    if (held === undefined) return { state: 'unknown' }
    const { state, claim } = held
    return state === 'open' || claim === undefined ? { state: 'open' } : { state, claim }
  }

  /** The profile for the device that claimed, and for no other. The same server may deliver again. */
  deliver(id: string, key: string, device: string, sealed: string): 'delivered' | 'unknown' | 'not kept' {
    const held = this.#of(id, key)
    if (held?.claim === undefined || held.claim.device !== device) return 'unknown'
    return this.#keep({ ...held, state: 'delivered', sealed }) ? 'delivered' : 'not kept'
  }

  /** @returns whether there was one. */
  cancel(id: string, key: string): boolean {
    return this.#of(id, key) !== undefined && this.#forget(id)
  }

  #of(id: string, key: string): Held | undefined {
    const held = this.#held.get(id)
    return held !== undefined && isKeyOf(held, key) ? held : undefined
  }

  #keep(held: Held): boolean {
    if (!this.#state.write(fileOf(held.id), `${jsonLine(held)}\n`).ok) return false
    this.#held.set(held.id, held)
    return true
  }

  #forget(id: string): boolean {
    this.#held.delete(id)
    return this.#state.remove(fileOf(id)).ok
  }

  #sweep(now: UnixSeconds): void {
    for (const { id, until } of this.#held.values()) if (until + KEPT <= now) this.#forget(id)
  }
}

/** @returns undefined for what is none. Never throws. */
export function parseHeld(text: string): Held | undefined {
  try {
    const held = readHeld(JSON.parse(text))
    const isWhole = held !== undefined && (held.claim === undefined) === (held.state === 'open')
    return isWhole ? held : undefined
  } catch {
    return undefined
  }
}

function fileOf(id: string): string {
  return `invitation-${id}.json`
}

function hashOf(key: string): string {
  return createHash('sha256').update(Buffer.from(key, 'hex')).digest('hex')
}

function isKeyOf({ keyHash }: Held, key: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(key), 'hex'), Buffer.from(keyHash, 'hex'))
}

/** For the claim of a visitor whose address is known. */
export function claimedFrom(from: IpAddress | undefined): { readonly from?: IpAddress } {
  return from === undefined ? {} : { from }
}
