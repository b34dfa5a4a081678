/**
 * The host's iptables as a firewall: fwknop's chains, and rules that the kernel ends by its own clock. A book in memory
 * has what is open. The rules follow it, by one `iptables-restore` for each change and family. If a jump, a chain or a
 * rule is missing, our rules are written anew from the book. Rules of others in our chains stay, except at a start with
 * FLUSH_IPT_AT_INIT.
 */
import type { Grant, GrantId, LiveGrant } from '../../access/grant.ts'
import {
  type ChainsShape,
  DEFAULT_FIREWALL_PROGRAM,
  DEFAULT_MAX_RULES,
  defaultChains,
} from '../../config/server/firewall-settings.ts'
import { type AddressFamily, familyOf } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { sinceBoot } from '../../system/since-boot.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import { Book, type Change, type Entry, endedBy, type Instant } from '../book.ts'
import { HELD_TIME, notHeldBack } from '../connections/held-back.ts'
import type { Tracked } from '../connections/tracked.ts'
import type {
  EndedConnections,
  FirewallFailure,
  FirewallListeners,
  Installed,
  Kept,
  KernelFirewall,
  LetIn,
  Mended,
  Opened,
  RulesToList,
} from '../firewall.ts'
import type { LeftPort } from '../host/after-removal.ts'
import type { Finding, PortsInUse } from '../host/findings.ts'
import { type Held, HeldFlows, heldRules, readHeldFlows, type SavedFlow } from './held-flows.ts'
import {
  chainsInstalled,
  chainWithStrangers,
  findingsOfHost,
  listChains,
  portsAfterRemoval,
  removeOurChains,
} from './inspect.ts'
import { type Intervals, Lookout } from './lookout.ts'
import { type Placed, PlacedRules, type RuleOwner } from './placed-rules.ts'
import { type Programs, systemPrograms } from './programs.ts'
import { type End, familyOfGrant, LAST_SECOND, lastSecondOf, rulesOf } from './rules.ts'
import { type OwnChains, otherRules, readOwnChains, type SavedGrant } from './save.ts'
import { FAMILIES, readTables, type SavedTables, tryRules } from './tables.ts'

export interface IptablesOptions extends Partial<ChainsShape> {
  /** For tests. */
  readonly clocks?: Clocks
  /** How often to look whether other programs changed our rules, in milliseconds; default a minute. */
  readonly lookInterval?: number
  /** How often to look whether the wall clock was set, in milliseconds; default five seconds. */
  readonly clockInterval?: number
}

interface Clocks {
  /** Milliseconds since the machine started, including its suspensions: grants end by this clock. */
  boot(): number
  /** Milliseconds since 1970: the kernel ends rules by this clock. */
  wall(): number
}

export function createIptablesFirewall(options: IptablesOptions = {}): KernelFirewall {
  const { program = DEFAULT_FIREWALL_PROGRAM, chains = defaultChains, clocks = systemClocks } = options
  const { output = false, prepend = false, check = true } = options
  const { flushAtStart = false, flushAtEnd = false, maxGrants = DEFAULT_MAX_RULES } = options
  const shape = {
    program,
    chains,
    output,
    prepend,
    check,
    flushAtStart,
    flushAtEnd,
    maxGrants,
    ...(options.knocks && { knocks: options.knocks }),
  }
  return new Chains(systemPrograms(program), shape, clocks, {
    look: options.lookInterval ?? LOOK_INTERVAL,
    clock: options.clockInterval ?? CLOCK_INTERVAL,
  })
}

/** Changes of the wall clock are looked for this often, and so is what other programs did to our rules. */
const CLOCK_INTERVAL = milliseconds(5_000)
const LOOK_INTERVAL = milliseconds(60_000)
/** A wall clock that moved by more than this moves the ends of rules. */
const CLOCK_JUMP = milliseconds(1_000)
/** Both ends of a record are of one moment if they differ by less: the wall clock is adjusted, and read in seconds. */
const CLOCK_DIFFERENCE = milliseconds(5_000)

class Chains implements KernelFirewall {
  readonly #programs: Programs
  readonly #shape: ChainsShape
  readonly #book: Book
  readonly #clocks: Clocks
  readonly #placed: PlacedRules
  /** Flows that were ended. */
  readonly #held = new HeldFlows()
  readonly #lookout: Lookout
  /** Why there are no rules of this family. */
  readonly #unusable = new Map<AddressFamily, FirewallFailure>()
  #kept: Kept = { grants: [], lost: 0 }
  #installed = false
  /** Whether the latest look found all that was written, or wrote it again. */
  #isWhole = true
  /** Changes run one after the other. */
  #queue: Promise<unknown> = Promise.resolve()
  /** Wall clock less boot clock when the rules were written. */
  #offset = 0
  #listeners: FirewallListeners = { onMended: () => {} }
  /** The other rules of the tables that our chains are in. */
  readonly #hostRules = new Map<AddressFamily, string>()

  constructor(programs: Programs, shape: ChainsShape, clocks: Clocks, intervals: Intervals) {
    this.#programs = programs
    this.#shape = shape
    this.#book = new Book(shape.maxGrants)
    this.#clocks = clocks
    this.#placed = new PlacedRules(programs, shape, (isAsked) => {
      const now = this.#now()
      const placed = new Map<RuleOwner, Placed>()
      for (const entry of this.#book.live(now))
        if (isAsked(entry.grant.id, familyOfGrant(entry.grant))) placed.set(entry.grant.id, this.#place(entry))
      for (const held of this.#held.live(now))
        if (isAsked(held.id, held.family)) placed.set(held.id, this.#placeHeld(held))
      return placed
    })
    this.#lookout = new Lookout(intervals, {
      look: () => this.#look(),
      unrest: () => this.#listeners.onUnrest?.(),
      followClock: () => this.#followClock(),
      sweep: () => this.#sweep(),
      now: () => this.#now(),
    })
    this.#offset = this.#offsetNow()
  }

  install(): Promise<Result<void, FirewallFailure>> {
    return this.#inTurn(async () => {
      this.#offset = this.#offsetNow()
      const grants: SavedGrant[] = []
      const flows: SavedFlow[] = []
      let lost = 0
      this.#unusable.clear()
      for (const family of FAMILIES) {
        const own = await this.#prepare(family)
        if (!own.ok) {
          // Grants for IPv6 are then refused, with this reason.
          if (family === 4) return own
          this.#unusable.set(family, own.failure)
          continue
        }
        grants.push(...own.value.grants)
        lost += own.value.unread
        flows.push(...own.value.flows)
      }
      this.#restoreHeld(flows)
      if (this.#shape.flushAtStart) this.#kept = { grants: [], lost: 0 }
      else this.#restore(grants, lost)
      for (const family of FAMILIES) {
        const strangers = this.#shape.flushAtStart ? 'go' : 'stay'
        const written = this.#unusable.has(family) ? ok(undefined) : await this.#placed.rewrite(family, strangers)
        if (!written.ok) return written
      }
      this.#installed = true
      this.#planEnd()
      return ok(undefined)
    })
  }

  kept(): Kept {
    return this.#kept
  }

  open(grants: readonly Grant[]): Promise<readonly Result<Opened, FirewallFailure>[]> {
    return this.#inTurn(async () => {
      if (!this.#installed) return grants.map(() => refuse('FIREWALL_UNAVAILABLE', 'the chains are not installed'))
      const results = await this.#open(grants)
      this.#planEnd()
      return results
    })
  }

  revoke(ids: readonly GrantId[]): Promise<Result<void, FirewallFailure>> {
    return this.#inTurn(async () => {
      const now = this.#now()
      const changes = ids.flatMap((id) => this.#book.revoke(id, now) ?? [])
      if (changes.length === 0) return ok(undefined)
      const applied = await this.#follow(changes)
      if (!applied.ok) for (const change of changes.toReversed()) this.#book.undo(change, now)
      return applied
    })
  }

  async endConnections(which: LetIn): Promise<Result<EndedConnections, FirewallFailure>> {
    const { endLetIn } = await import('../connections/end-connections.ts')
    return await endLetIn(which, undefined, (flows) => this.#hold(flows))
  }

  async grants(): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const { input, forward } = this.#shape.chains
    const live: LiveGrant[] = []
    for (const family of FAMILIES) {
      if (this.#unusable.has(family)) continue
      const tables = await this.#read(family, [...new Set([input.table, forward.table])])
      if (!tables.ok) return tables
      const now = this.#now()
      for (const saved of readOwnChains(tables.value, this.#shape.chains).grants) {
        const until = this.#endOf(saved, now)
        if (until > now) live.push({ grant: saved.grant, remaining: milliseconds(until - now) })
      }
    }
    return ok(live)
  }

  watch(listeners: FirewallListeners): Result<void, FirewallFailure> {
    this.#listeners = listeners
    this.#lookout.begin()
    this.#planEnd()
    return ok(undefined)
  }

  hostFindings(ports: PortsInUse): Promise<Result<readonly Finding[], FirewallFailure>> {
    return findingsOfHost(this.#programs, this.#shape, ports)
  }

  /** Notices what others changed without iptables-nft, too: that is repaired first. */
  async isInPlace(): Promise<boolean> {
    await this.#look()
    return this.#installed && this.#isWhole
  }

  guard(): 'watched' {
    return 'watched'
  }

  load(): undefined {
    return undefined
  }

  installed(): Promise<Result<Installed, FirewallFailure>> {
    return chainsInstalled(this.#programs, this.#shape)
  }

  foreignChain(): Promise<Result<string | undefined, FirewallFailure>> {
    return chainWithStrangers(this.#programs, this.#shape)
  }

  afterRemoval(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>> {
    return portsAfterRemoval(this.#programs, this.#shape, ports)
  }

  async lookAlikes(): Promise<Result<readonly string[], FirewallFailure>> {
    return ok([])
  }

  listing(which: RulesToList): Promise<Result<string, FirewallFailure>> {
    return listChains(this.#programs, this.#shape, which)
  }

  uninstall(): Promise<Result<void, FirewallFailure>> {
    this.#installed = false
    return this.#inTurn(async () => {
      const removed = await removeOurChains(this.#programs, this.#shape, (family) => this.#placed.forgetChains(family))
      if (removed.ok) {
        this.#placed.forgetRules()
        this.#held.clear()
      }
      return removed
    })
  }

  async close(): Promise<void> {
    const wasInstalled = this.#installed
    this.#lookout.stop()
    if (wasInstalled && this.#shape.flushAtEnd) await this.uninstall()
    this.#installed = false
    await this.#queue
  }

  async #open(grants: readonly Grant[]): Promise<Result<Opened, FirewallFailure>[]> {
    const now = this.#now()
    const results = new Array<Result<Opened, FirewallFailure>>(grants.length).fill(ok(undefined))
    const changes: Change[] = []
    const admitted: number[] = []
    for (const [i, grant] of grants.entries()) {
      const change = this.#impossible(grant) ?? this.#book.admit(grant, now)
      if (change.ok) {
        changes.push(change.value)
        admitted.push(i)
        results[i] = ok(endedBy(change.value))
      } else results[i] = change
    }
    const applied = await this.#follow(changes)
    if (applied.ok) {
      const done = this.#now()
      for (const [k, i] of admitted.entries()) {
        const until = changes[k]?.after?.until
        if (until !== undefined && until <= done) results[i] = tooLate(milliseconds(done - now))
      }
      return results
    }

    for (const change of changes.toReversed()) this.#book.undo(change, now)
    await this.#rewriteBoth()
    const half = applied.failure.code === 'FIREWALL_UNAVAILABLE' ? 0 : admitted.length >> 1
    if (half === 0) {
      for (const i of admitted) results[i] = applied
      return results
    }
    for (const part of [admitted.slice(0, half), admitted.slice(half)]) {
      const outcomes = await this.#open(part.map((i) => grants[i]).filter((grant) => grant !== undefined))
      for (const [k, i] of part.entries()) results[i] = outcomes[k] ?? applied
    }
    return results
  }

  #impossible(grant: Grant): Result<never, FirewallFailure> | undefined {
    const failure = this.#unusable.get(familyOfGrant(grant))
    if (failure !== undefined) return { ok: false, failure }
    if (lastSecondOf(this.#clocks.wall()) + grant.lifetime <= LAST_SECOND) return undefined
    return refuse('FIREWALL_REFUSED', 'iptables cannot end a rule after the 19th of January 2038: ask for less time')
  }

  /** Makes the rules follow the changes of the book. Both families at once. */
  async #follow(changes: readonly Change[]): Promise<Result<void, FirewallFailure>> {
    const touched = new Set<GrantId>()
    for (const { id, ousted = [], displaced = [] } of changes) {
      touched.add(id)
      for (const entry of [...ousted, ...displaced]) touched.add(entry.grant.id)
    }
    return await this.#placed.settle(touched)
  }

  async #rewriteBoth(): Promise<Result<void, FirewallFailure>> {
    const outcomes = await Promise.all(
      FAMILIES.filter((family) => !this.#unusable.has(family)).map((family) => this.#placed.rewrite(family)),
    )
    return outcomes.find(({ ok }) => !ok) ?? ok(undefined)
  }

  /** Reads what an earlier ghostport left, and tries what rules of ours need. */
  async #prepare(
    family: AddressFamily,
  ): Promise<Result<Pick<OwnChains, 'grants' | 'unread'> & { flows: readonly SavedFlow[] }, FirewallFailure>> {
    const tables = await this.#read(family, [this.#shape.chains.input.table])
    if (!tables.ok) return tables
    if (this.#shape.check) {
      const tried = await tryRules(this.#programs, this.#shape.chains, family)
      if (!tried.ok) return tried
    }
    const all = await this.#read(family)
    if (!all.ok) return all
    this.#hostRules.set(family, otherRules(all.value, this.#shape.chains))
    const { grants, unread } = readOwnChains(all.value, this.#shape.chains)
    return ok({ grants, unread, flows: readHeldFlows(all.value, this.#shape.chains) })
  }

  #restore(grants: readonly SavedGrant[], unread: number): void {
    const now = this.#now()
    let lost = unread
    for (const [i, saved] of grants.entries()) {
      const until = this.#endOf(saved, now)
      if (until <= now) continue
      // No rule can have an end that late, and one such rule would keep all others from being written.
      const canEnd = lastSecondOf(until + this.#offset) <= LAST_SECOND
      if (!canEnd || !this.#book.restore(saved.grant, i + 1, until, now)) lost++
    }
    const kept = this.#book.live(now).map(({ grant, until }) => ({ grant, remaining: milliseconds(until - now) }))
    this.#kept = { grants: kept, lost }
  }

  /** Also with FLUSH_IPT_AT_INIT: they open nothing. */
  #restoreHeld(flows: readonly SavedFlow[]): void {
    const now = this.#now()
    for (const { flow, expires } of flows) {
      const remaining = Math.min(expires * 1000 - this.#clocks.wall(), HELD_TIME)
      if (remaining > 0) this.#held.restore(flow, (now + remaining) as Instant)
    }
  }

  /**
   * The earlier of both clocks: rules may have been saved over a reboot, and the wall clock may have been set. Where
   * the clocks contradict each other, neither is believed for longer than the whole time of the grant: after a boot,
   * the wall clock of a machine without a battery is late by hours or years.
   */
  #endOf({ end, expires, grant }: SavedGrant, now: Instant): Instant {
    const byWall = now + expires * 1000 - this.#clocks.wall()
    const until = Math.min(byWall, end ?? byWall)
    const agree = end !== undefined && Math.abs(byWall - end) < CLOCK_DIFFERENCE
    return (agree ? until : Math.min(until, now + grant.lifetime * 1000)) as Instant
  }

  #place({ grant, until }: Entry): Placed {
    return { family: familyOfGrant(grant), rules: rulesOf(grant, this.#endAt(until), this.#shape), until }
  }

  #placeHeld({ family, flow, until }: Held): Placed {
    return { family, rules: heldRules(flow, this.#endAt(until)), until }
  }

  #endAt(until: Instant): End {
    return { boot: until, wall: until + this.#offset }
  }

  /** What these services send begins no connection any more. */
  #hold(flows: readonly Tracked[]): Promise<Result<void, FirewallFailure>> {
    return this.#inTurn(async () => {
      if (!this.#installed) return refuse('FIREWALL_UNAVAILABLE', 'the chains are not installed')
      const usable = flows.filter(({ reply }) => !this.#unusable.has(familyOf(reply.source)))
      const { touched, left } = this.#held.hold(usable, (this.#now() + HELD_TIME) as Instant)
      const written = touched.size === 0 ? ok(undefined) : await this.#placed.settle(touched)
      this.#planEnd()
      if (!written.ok || left === 0) return written
      return notHeldBack(left)
    })
  }

  /** While our rules were gone, a service may have begun a flow that is held back. */
  async #endWhatBegan(): Promise<void> {
    if (this.#held.isEmpty) return
    const { endWhatBegan } = await import('../connections/end-connections.ts')
    // Where connections cannot be listed, none was ever ended.
    endWhatBegan(({ protocol, original }) => this.#held.has(protocol, original))
  }

  /** A service that still sends is held back for longer. */
  async #renewHeld(tables: SavedTables): Promise<void> {
    const now = this.#now()
    const hit = readHeldFlows(tables, this.#shape.chains).filter(({ isHit }) => isHit)
    const touched = this.#held.renew(
      hit.map(({ flow }) => flow),
      (now + HELD_TIME / 2) as Instant,
      (now + HELD_TIME) as Instant,
    )
    if (touched.size > 0) await this.#placed.settle(touched)
  }

  #planEnd(): void {
    this.#lookout.sweepAt(this.#installed ? this.#placed.nextEnd : undefined)
  }

  /** A refused grant may be open after a program failed: its rules are removed as soon as a program works again. */
  #planRepair(): void {
    if (this.#installed && FAMILIES.some((family) => this.#placed.isInDoubt(family))) this.#lookout.repairSoon()
  }

  async #sweep(): Promise<void> {
    const swept = await this.#inTurn(async () => {
      if (!this.#installed) return ok(undefined)
      const ended = this.#placed.endedAt(this.#now())
      return ended.size === 0 ? ok(undefined) : await this.#placed.settle(ended)
    })
    if (swept.ok) this.#planEnd()
    else if (this.#installed) this.#lookout.sweepAgain()
  }

  /** The kernel ends rules by the wall clock. Where that was set, the ends are written anew. */
  #followClock(): void {
    const offset = this.#offsetNow()
    if (!this.#installed || Math.abs(offset - this.#offset) < CLOCK_JUMP) return
    void this.#inTurn(async () => {
      const before = this.#offset
      this.#offset = offset
      const written = await this.#rewriteBoth()
      // A failure is tried again at the next look.
      if (!written.ok) this.#offset = before
    })
  }

  /** Whether all that was written is still there. */
  async #look(): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#installed) return
      this.#lookout.looking()
      const begun = this.#now()
      this.#isWhole = true
      for (const family of FAMILIES) {
        if (this.#unusable.has(family)) continue
        // What is in the kernel is ours then, and not the work of another program.
        if (this.#placed.isInDoubt(family) && !(await this.#placed.rewrite(family)).ok) this.#isWhole = false
        const tables = await this.#read(family)
        if (!tables.ok) {
          this.#isWhole = false
          continue
        }
        const others = otherRules(tables.value, this.#shape.chains)
        if (others !== this.#hostRules.get(family)) this.#listeners.onHostChange?.()
        this.#hostRules.set(family, others)
        const damage = this.#placed.damage(family, tables.value)
        if (damage === undefined) await this.#renewHeld(tables.value)
        if (damage === undefined || this.#placed.isInDoubt(family)) continue
        const outcome = await this.#placed.rewrite(family)
        this.#isWhole &&= outcome.ok
        if (outcome.ok) await this.#endWhatBegan()
        const mended: Mended = {
          change: { what: 'rule', how: damage.isMissing ? 'removed' : 'added' },
          grants: this.#book.live(begun).length,
          took: milliseconds(this.#now() - begun),
          outcome,
          ...(damage.strays.length > 0 && { strays: damage.strays }),
        }
        this.#listeners.onMended(mended)
      }
    })
  }

  #read(family: AddressFamily, names?: readonly string[]): Promise<Result<SavedTables, FirewallFailure>> {
    return readTables(this.#programs, this.#shape.chains, family, names)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work).finally(() => this.#planRepair())
    this.#queue = done.catch(() => {})
    return done
  }

  #now(): Instant {
    return this.#clocks.boot() as Instant
  }

  #offsetNow(): number {
    return this.#clocks.wall() - this.#clocks.boot()
  }
}

/** The rules are in place, and match nothing any more: their end was counted from the knock on. */
function tooLate(took: Milliseconds): Result<never, FirewallFailure> {
  return refuse(
    'FIREWALL_UNAVAILABLE',
    `iptables took ${Math.ceil(took / 1000)} s, and the grant was over by then: another program held the lock, or the host is very busy`,
  )
}

const systemClocks: Clocks = {
  boot: () => sinceBoot('counted'),
  wall: () => Date.now(),
}
