/**
 * The host's iptables as a firewall: fwknop's chains, and rules that the kernel ends by its own clock. A book in memory
 * has what is open. The rules follow it, by one `iptables-restore` for each change and family. If a jump, a chain or a
 * rule is missing, our rules are written anew from the book. Rules of others in our chains stay, except at a start with
 * FLUSH_IPT_AT_INIT.
 */
import type { Grant, GrantId, LiveGrant } from '../../access/grant.ts'
import {
  type ChainPlace,
  type ChainRole,
  type ChainsShape,
  DEFAULT_FIREWALL_PROGRAM,
  DEFAULT_MAX_RULES,
  defaultChains,
  type TableName,
} from '../../config/server/firewall-settings.ts'
import type { AddressFamily } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { sinceBoot } from '../../system/since-boot.ts'
import { milliseconds } from '../../units.ts'
import { Book, type Change, type Entry, endedBy, type Instant } from '../book.ts'
import type {
  FirewallFailure,
  FirewallListeners,
  Installed,
  Kept,
  KernelFirewall,
  Mended,
  Opened,
  RulesToList,
} from '../firewall.ts'
import type { LeftPort } from '../host/after-removal.ts'
import type { Finding, PortsInUse } from '../host/findings.ts'
import { type Watch, watchTable } from '../nftables/watch.ts'
import { type Programs, systemPrograms } from './programs.ts'
import {
  changeRules,
  type End,
  familyOfGrant,
  LAST_SECOND,
  lastSecondOf,
  type Rule,
  removeChains,
  rewriteChains,
  rolesOf,
  rulesOf,
} from './rules.ts'
import {
  jumpsTo,
  markOf,
  otherRules,
  ownRules,
  parseSave,
  readOwnChains,
  type SavedGrant,
  type SavedTable,
} from './save.ts'

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
const LOOKS_APART = milliseconds(1_000)
/** No table has this name: every change is one of others. */
const NO_TABLE = '' as TableName
/** A wall clock that moved by more than this moves the ends of rules. */
const CLOCK_JUMP = milliseconds(1_000)
/** The longest wait of a timer of Node.js. */
const LONGEST_WAIT = 2 ** 31 - 1
const REPAIR_AGAIN_AFTER = milliseconds(1_000)
const FAMILIES: readonly AddressFamily[] = [4, 6]
/** A chain that no packet meets: a start tries there what rules of ours need. */
const TRIAL_CHAIN = 'GHOSTPORT_TRIAL'

/** How often to look, in milliseconds. */
interface Intervals {
  readonly look: number
  readonly clock: number
}

/** The rules of a grant that are in the kernel. */
interface Placed {
  readonly family: AddressFamily
  readonly rules: readonly Rule[]
  readonly until: Instant
}

class Chains implements KernelFirewall {
  readonly #programs: Programs
  readonly #shape: ChainsShape
  readonly #book: Book
  readonly #clocks: Clocks
  readonly #every: Intervals
  readonly #placed = new Map<GrantId, Placed>()
  /** The chains that exist, with their jumps, as far as is known. */
  readonly #roles: Readonly<Record<AddressFamily, Set<ChainRole>>> = { 4: new Set(), 6: new Set() }
  /** Why there are no rules of this family. */
  readonly #unusable = new Map<AddressFamily, FirewallFailure>()
  #kept: Kept = { grants: [], lost: 0 }
  #installed = false
  /** Changes run one after the other. */
  #queue: Promise<unknown> = Promise.resolve()
  #end: NodeJS.Timeout | undefined
  #intervals: NodeJS.Timeout[] = []
  #watch: Watch | undefined
  #soon: NodeJS.Timeout | undefined
  #looked = Number.NEGATIVE_INFINITY
  /** Wall clock less boot clock when the rules were written. */
  #offset = 0
  #listeners: FirewallListeners = { onMended: () => {} }
  /** The other rules of the tables that our chains are in. */
  readonly #hostRules = new Map<AddressFamily, string>()

  constructor(programs: Programs, shape: ChainsShape, clocks: Clocks, intervals: Intervals) {
    this.#programs = programs
    this.#every = intervals
    this.#shape = shape
    this.#book = new Book(shape.maxGrants)
    this.#clocks = clocks
    this.#offset = this.#offsetNow()
  }

  install(): Promise<Result<void, FirewallFailure>> {
    return this.#inTurn(async () => {
      this.#offset = this.#offsetNow()
      const grants: SavedGrant[] = []
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
      }
      if (this.#shape.flushAtStart) this.#kept = { grants: [], lost: 0 }
      else this.#restore(grants, lost)
      for (const family of FAMILIES) {
        const strangers = this.#shape.flushAtStart ? 'go' : 'stay'
        const written = this.#unusable.has(family) ? ok(undefined) : await this.#rewrite(family, strangers)
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

  revoke(id: GrantId): Promise<Result<void, FirewallFailure>> {
    return this.#inTurn(async () => {
      const now = this.#now()
      const change = this.#book.revoke(id, now)
      if (change === undefined) return ok(undefined)
      const applied = await this.#follow([change])
      if (!applied.ok) this.#book.undo(change, now)
      return applied
    })
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
    this.#stopTimers()
    this.#intervals = [
      setInterval(() => this.#followClock(), this.#every.clock).unref(),
      setInterval(() => void this.#look(), this.#every.look).unref(),
    ]
    this.#watch?.close()
    // Tells of iptables-nft, where the kernel can tell. All else is seen by the interval.
    const watch = watchTable(NO_TABLE, new Set(), { ours: () => {}, others: () => this.#lookSoon() })
    this.#watch = watch.ok ? watch.value : undefined
    this.#planEnd()
    return ok(undefined)
  }

  async hostFindings(ports: PortsInUse): Promise<Result<readonly Finding[], FirewallFailure>> {
    // Not loaded at the start: a server is ready before it judges its host.
    const [{ hasIpv6 }, { findingsAround }, { rulesAround }] = await Promise.all([
      import('../host/read-host.ts'),
      import('../host/findings.ts'),
      import('./host.ts'),
    ])
    const around = await rulesAround(this.#programs, this.#shape)
    return around.ok ? ok(findingsAround(around.value, { ...ports, ipv6: hasIpv6() })) : around
  }

  load(): undefined {
    return undefined
  }

  async installed(): Promise<Result<Installed, FirewallFailure>> {
    const { chains } = this.#shape
    const tables = await this.#read(4, [chains.input.table])
    if (!tables.ok) return tables
    return ok({ kind: tables.value.get(chains.input.table)?.has(chains.input.chain) ? 'chains' : 'absent' })
  }

  async foreignChain(): Promise<Result<string | undefined, FirewallFailure>> {
    for (const family of FAMILIES) {
      const tables = await this.#read(family)
      if (!tables.ok) {
        if (family === 4) return tables
        continue
      }
      for (const [role, place] of this.#places()) {
        const own = readOwnChains(tables.value, { [role]: place } as Record<ChainRole, ChainPlace>)
        if (own.foreign > 0) return ok(place.chain)
      }
    }
    return ok(undefined)
  }

  async afterRemoval(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>> {
    const [{ hasIpv6 }, { afterRemoval }, { rulesAround }] = await Promise.all([
      import('../host/read-host.ts'),
      import('../host/after-removal.ts'),
      import('./host.ts'),
    ])
    const around = await rulesAround(this.#programs, this.#shape)
    return around.ok ? ok(afterRemoval(around.value.stranger, { ipv6: hasIpv6(), ports })) : around
  }

  async lookAlikes(): Promise<Result<readonly string[], FirewallFailure>> {
    return ok([])
  }

  async listing(which: RulesToList): Promise<Result<string, FirewallFailure>> {
    let text = ''
    for (const family of FAMILIES) {
      const tables = await this.#read(family)
      if (!tables.ok) {
        if (family === 4) return tables
        continue
      }
      for (const [table, chains] of tables.value) {
        const ours = this.#places().flatMap(([, place]) =>
          place.table === table && chains.has(place.chain) ? [place.chain] : [],
        )
        for (const chain of which === 'all' ? [''] : ours) {
          const listed = await this.#programs.list(family, table, chain)
          if (!listed.ok) return listed
          text += `${family === 4 ? 'iptables' : 'ip6tables'}, table ${table}:\n${listed.value}\n`
          if (which === 'commands')
            for (const rule of chains.get(chain) ?? []) {
              const how = this.#shape.prepend && ownRules([rule]).length > 0 ? '-I' : '-A'
              text += `${family === 4 ? 'iptables' : 'ip6tables'} -t ${table} ${how} ${chain} ${rule.words.join(' ')}\n`
            }
        }
      }
    }
    return ok(text)
  }

  uninstall(): Promise<Result<void, FirewallFailure>> {
    this.#installed = false
    return this.#inTurn(async () => {
      for (const family of FAMILIES) {
        const tables = await this.#read(family)
        if (!tables.ok) {
          if (family === 4) return tables
          continue
        }
        const places = this.#places().flatMap(([, place]) =>
          tables.value.get(place.table)?.has(place.chain)
            ? [{ ...place, jumps: jumpsTo(tables.value, place).jumps }]
            : [],
        )
        const batch = removeChains(places)
        const removed = batch.isEmpty ? ok(undefined) : await this.#programs.restore(family, String(batch))
        if (!removed.ok) return removed
        this.#roles[family].clear()
      }
      this.#placed.clear()
      return ok(undefined)
    })
  }

  async close(): Promise<void> {
    const wasInstalled = this.#installed
    this.#stopTimers()
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
    if (applied.ok) return results

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
    return await this.#settle(touched)
  }

  /** Makes the rules of these grants those that the book wants. */
  async #settle(ids: Iterable<GrantId>): Promise<Result<void, FirewallFailure>> {
    const now = this.#now()
    const live = new Map(this.#book.live(now).map((entry) => [entry.grant.id, entry]))
    const wanted = new Map<GrantId, Placed | undefined>()
    for (const id of ids) {
      const entry = live.get(id)
      wanted.set(id, entry === undefined ? undefined : this.#place(entry))
    }
    const outcomes = await Promise.all(FAMILIES.map((family) => this.#settleFamily(family, wanted)))
    return outcomes.find(({ ok }) => !ok) ?? ok(undefined)
  }

  async #settleFamily(
    family: AddressFamily,
    wanted: ReadonlyMap<GrantId, Placed | undefined>,
  ): Promise<Result<void, FirewallFailure>> {
    const added: Rule[] = []
    const removed: Rule[] = []
    const mine = [...wanted].filter(([id, to]) => (to ?? this.#placed.get(id))?.family === family)
    for (const [id, to] of mine) {
      const [before, after] = [this.#placed.get(id)?.rules ?? [], to?.rules ?? []]
      added.push(...after.filter((rule) => !before.some((other) => isSame(rule, other))))
      removed.push(...before.filter((rule) => !after.some((other) => isSame(rule, other))))
    }
    if (added.length + removed.length === 0) return ok(undefined)
    const missing = [...rolesOf(added)].some((role) => !this.#roles[family].has(role))
    const changed = missing
      ? refuse('FIREWALL_REFUSED', 'a chain is missing')
      : await this.#programs.restore(family, String(changeRules(this.#shape, added, removed)))
    if (!changed.ok && changed.failure.code === 'FIREWALL_UNAVAILABLE') return changed
    if (!changed.ok) return await this.#rewrite(family)
    for (const [id, to] of mine) {
      if (to === undefined) this.#placed.delete(id)
      else this.#placed.set(id, to)
    }
    return ok(undefined)
  }

  /** Writes our rules of a family anew, from the book. @param strangers rules of others in our chains. */
  async #rewrite(family: AddressFamily, strangers: 'stay' | 'go' = 'stay'): Promise<Result<void, FirewallFailure>> {
    const entries = this.#book.live(this.#now()).filter(({ grant }) => familyOfGrant(grant) === family)
    const placed = entries.map((entry) => [entry.grant.id, this.#place(entry)] as const)
    const rules = placed.flatMap(([, { rules }]) => rules)
    const tables = await this.#read(family)
    if (!tables.ok) return tables
    const roles = new Set<ChainRole>(['input', ...(this.#shape.output ? (['output'] as const) : []), ...rolesOf(rules)])
    for (const [role, { table, chain }] of this.#places()) if (tables.value.get(table)?.has(chain)) roles.add(role)
    const ordered = this.#places().flatMap(([role]) => (roles.has(role) ? [role] : []))
    const batch = rewriteChains(this.#shape, ordered, rules, (place) => {
      const { jumps, rules: hostRules } = jumpsTo(tables.value, place)
      const found = tables.value.get(place.table)?.get(place.chain) ?? []
      const own = ownRules(found)
      const isShared = strangers === 'stay' && own.length < found.length
      return { hasJump: jumps > 0, hostRules, removed: isShared ? own.map(({ text }) => text) : 'all' }
    })
    const written = await this.#programs.restore(family, String(batch))
    if (!written.ok) return written
    for (const role of roles) this.#roles[family].add(role)
    for (const [id, { family: of }] of this.#placed) if (of === family) this.#placed.delete(id)
    for (const [id, one] of placed) this.#placed.set(id, one)
    return ok(undefined)
  }

  async #rewriteBoth(): Promise<Result<void, FirewallFailure>> {
    const outcomes = await Promise.all(
      FAMILIES.filter((family) => !this.#unusable.has(family)).map((family) => this.#rewrite(family)),
    )
    return outcomes.find(({ ok }) => !ok) ?? ok(undefined)
  }

  /** Reads what an earlier ghostport left, and tries what rules of ours need. */
  async #prepare(
    family: AddressFamily,
  ): Promise<Result<{ grants: readonly SavedGrant[]; unread: number }, FirewallFailure>> {
    const tables = await this.#read(family, [this.#shape.chains.input.table])
    if (!tables.ok) return tables
    if (this.#shape.check) {
      const tried = await this.#try(family)
      if (!tried.ok) return tried
    }
    const all = await this.#read(family)
    if (!all.ok) return all
    this.#hostRules.set(family, otherRules(all.value, this.#shape.chains))
    return ok(readOwnChains(all.value, this.#shape.chains))
  }

  /** In a chain that no packet meets, since the kernel says no sooner what it lacks. */
  async #try(family: AddressFamily): Promise<Result<void, FirewallFailure>> {
    const { table } = this.#shape.chains.input
    const matches = '-m comment --comment ghostport -m time --datestop 2001-01-01T00:00:00'
    const rule = `-A ${TRIAL_CHAIN} -p tcp -m tcp --dport 1 ${matches} -m conntrack --ctstate DNAT -j ACCEPT`
    const tried = await this.#programs.restore(family, `*${table}\n:${TRIAL_CHAIN} - [0:0]\n${rule}\nCOMMIT\n`)
    if (!tried.ok) {
      if (tried.failure.code === 'FIREWALL_UNAVAILABLE') return tried
      return refuse(
        'FIREWALL_UNAVAILABLE',
        `iptables cannot make the rules that FIREWALL iptables needs (the matches comment, time and conntrack): ${tried.failure.detail}`,
        { suggestion: 'FIREWALL nftables;' },
      )
    }
    return await this.#programs.restore(family, `*${table}\n-F ${TRIAL_CHAIN}\n-X ${TRIAL_CHAIN}\nCOMMIT\n`)
  }

  #restore(grants: readonly SavedGrant[], unread: number): void {
    const now = this.#now()
    let lost = unread
    for (const [i, saved] of grants.entries()) {
      const until = this.#endOf(saved, now)
      if (until > now && !this.#book.restore(saved.grant, i + 1, until, now)) lost++
    }
    const kept = this.#book.live(now).map(({ grant, until }) => ({ grant, remaining: milliseconds(until - now) }))
    this.#kept = { grants: kept, lost }
  }

  /** The earlier of both clocks: rules may have been saved over a reboot, and the wall clock may have been set. */
  #endOf({ end, expires }: SavedGrant, now: Instant): Instant {
    const byWall = now + expires * 1000 - this.#clocks.wall()
    return Math.min(byWall, end ?? byWall) as Instant
  }

  #place({ grant, until }: Entry): Placed {
    const end: End = { boot: until, wall: until + this.#offset }
    return { family: familyOfGrant(grant), rules: rulesOf(grant, end, this.#shape), until }
  }

  /** One timer, for the next grant to end: then its rules go, which the kernel does not match any more. */
  #planEnd(): void {
    clearTimeout(this.#end)
    if (!this.#installed || this.#placed.size === 0) return
    let next = Number.POSITIVE_INFINITY
    for (const { until } of this.#placed.values()) if (until < next) next = until
    const wait = Math.min(Math.max(0, next - this.#now()), LONGEST_WAIT)
    this.#end = setTimeout(() => void this.#sweep(), wait).unref()
  }

  async #sweep(): Promise<void> {
    const swept = await this.#inTurn(async () => {
      if (!this.#installed) return ok(undefined)
      const now = this.#now()
      const ended = [...this.#placed].flatMap(([id, { until }]) => (until <= now ? [id] : []))
      return ended.length === 0 ? ok(undefined) : await this.#settle(ended)
    })
    if (swept.ok) this.#planEnd()
    else if (this.#installed) this.#end = setTimeout(() => void this.#sweep(), REPAIR_AGAIN_AFTER).unref()
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

  /** At once, but not more often than once a second: our own changes are told of as well. */
  #lookSoon(): void {
    clearTimeout(this.#soon)
    const wait = Math.max(0, this.#looked + LOOKS_APART - this.#now())
    this.#soon = setTimeout(() => void this.#look(), wait).unref()
  }

  /** Whether all that was written is still there. */
  async #look(): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#installed) return
      this.#looked = this.#now()
      const begun = this.#now()
      for (const family of FAMILIES) {
        if (this.#unusable.has(family)) continue
        const tables = await this.#read(family)
        if (!tables.ok) continue
        const others = otherRules(tables.value, this.#shape.chains)
        if (others !== this.#hostRules.get(family)) this.#listeners.onHostChange?.()
        this.#hostRules.set(family, others)
        if (this.#isWhole(family, tables.value)) continue
        const outcome = await this.#rewrite(family)
        const mended: Mended = {
          change: { what: 'rule', how: 'removed' },
          grants: this.#book.live(begun).length,
          took: milliseconds(this.#now() - begun),
          outcome,
        }
        this.#listeners.onMended(mended)
      }
    })
  }

  #isWhole(family: AddressFamily, tables: ReadonlyMap<string, SavedTable>): boolean {
    const { chains } = this.#shape
    const wanted = new Map<ChainRole, string[]>()
    for (const role of this.#roles[family]) wanted.set(role, [])
    for (const placed of this.#placed.values())
      if (placed.family === family)
        for (const { role, text } of placed.rules) wanted.get(role)?.push(markOf(text.replaceAll('"', '').split(' ')))
    return [...wanted].every(([role, marks]) => {
      const found = tables.get(chains[role].table)?.get(chains[role].chain)
      if (found === undefined || jumpsTo(tables, chains[role]).jumps === 0) return false
      const there = ownRules(found).map(({ words }) => markOf(words))
      return there.length === marks.length && there.toSorted().join('\n') === marks.toSorted().join('\n')
    })
  }

  /** @param names default: the tables that chains of ours are in. */
  async #read(
    family: AddressFamily,
    names: readonly string[] = [...new Set(Object.values(this.#shape.chains).map(({ table }) => table))],
  ): Promise<Result<ReadonlyMap<string, SavedTable>, FirewallFailure>> {
    const tables = new Map<string, SavedTable>()
    for (const name of names) {
      const saved = await this.#programs.save(family, name)
      if (!saved.ok) return saved
      for (const [table, contents] of parseSave(saved.value)) tables.set(table, contents)
    }
    return ok(tables)
  }

  #places(): readonly (readonly [ChainRole, ChainPlace])[] {
    return Object.entries(this.#shape.chains) as [ChainRole, ChainPlace][]
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }

  #stopTimers(): void {
    clearTimeout(this.#end)
    clearTimeout(this.#soon)
    this.#watch?.close()
    this.#watch = undefined
    for (const interval of this.#intervals) clearInterval(interval)
    this.#intervals = []
  }

  #now(): Instant {
    return this.#clocks.boot() as Instant
  }

  #offsetNow(): number {
    return this.#clocks.wall() - this.#clocks.boot()
  }
}

function isSame(one: Rule, other: Rule): boolean {
  return one.role === other.role && one.text === other.text
}

const systemClocks: Clocks = {
  boot: () => sinceBoot('counted'),
  wall: () => Date.now(),
}
