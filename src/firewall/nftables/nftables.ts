/**
 * The kernel's nftables as a {@link Firewall}: one table of ours. Its elements are the grants, and expire by
 * themselves. A book in memory also has what is open, because listing the kernel's sets takes long. The sets are read
 * only at the start and for a status. If another program flushes the table, it is repaired from the book.
 */
import type { GrantId, LiveGrant } from '../../access/grant.ts'
import {
  type CoexistenceMode,
  DEFAULT_MARK,
  DEFAULT_MAX_GRANTS,
  DEFAULT_TABLE,
  DEFAULT_TABLE_OWNER,
  type TableOwner,
  type TableShape,
} from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { sinceBoot } from '../../system/since-boot.ts'
import { milliseconds, parsePort } from '../../units.ts'
import { Book, type Change, endedBy, type Instant } from '../book.ts'
import { HELD_TIME, notHeldBack } from '../connections/held-back.ts'
import type { Tracked } from '../connections/tracked.ts'
import type {
  EndedConnections,
  Firewall,
  FirewallFailure,
  FirewallListeners,
  ForeignChange,
  Guard,
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
import { type Command, renderCommands } from './commands.ts'
import { connectionElements, connectionsTo } from './connections.ts'
import { differences } from './differences.ts'
import { chainsWithRules, dumpNames, dumpSet, type FoundElement, TABLE_PERSISTS, tableFlags } from './dump.ts'
import type { Element } from './elements.ts'
import { HeldFlows } from './held-flows.ts'
import { parseLedger } from './ledger.ts'
import { type ChangePath, type Nftables, type NftFailure, openNftables } from './library.ts'
import { isTableOf, type Ownership, renderAgain, renderRemoval, renderTable, renderTrial } from './ruleset.ts'
import { HELD_SET_NAMES, SET_NAMES } from './sets.ts'
import {
  type Care,
  commandsFor,
  commandsToAdd,
  commandsToMove,
  commandsToOpen,
  commandsToRecord,
  type Move,
} from './transaction.ts'
import { type Watch, watchTable } from './watch.ts'

/** Only the mode is required: the rest has the defaults of the configuration file. */
export interface NftablesOptions extends Partial<TableShape> {
  readonly mode: CoexistenceMode
  /** Default `auto`. */
  readonly owner?: TableOwner
  /** The shared library to load; default `libnftables.so.1`. */
  readonly library?: string
  /** Default `direct`; `text` for tests. */
  readonly changes?: ChangePath
  /** Milliseconds since the machine started, for tests. */
  readonly clocks?: Clocks
}

interface Clocks {
  /** Including the time when the machine was suspended: grants end by this clock. */
  withSuspension(): number
  /** Without that time: the kernel's timeouts run by this clock. */
  withoutSuspension(): number
}

/** @returns `FIREWALL_UNAVAILABLE` if libnftables or the kernel's netfilter is missing. */
export function createNftablesFirewall(options: NftablesOptions): Result<KernelFirewall, FirewallFailure> {
  const opened = openNftables(options.library, options.changes)
  if (!opened.ok) return opened
  const { mode, table = DEFAULT_TABLE, mark = DEFAULT_MARK, maxGrants = DEFAULT_MAX_GRANTS } = options
  const { clocks = kernelClocks, owner = DEFAULT_TABLE_OWNER } = options
  return ok(
    new KernelTable(
      opened.value,
      { table, mode, mark, maxGrants, ...(options.knocks && { knocks: options.knocks }) },
      owner,
      clocks,
    ),
  )
}

/** If another program changes our table more often than this within a second, repairs pause. */
const MENDS_A_SECOND = 20
const MEND_AGAIN_AFTER = milliseconds(1000)
/** Timeouts count from when the kernel gets them. So many grants, or elements, are split into several transactions. */
const GRANTS_AT_ONCE = 200
const ELEMENTS_AT_ONCE = 400
/** A transaction that takes longer than this is checked again. */
const SLOW = milliseconds(20)
/** An end that an earlier ghostport left in the kernel stays if it differs by no more than this. */
const NEAR = milliseconds(100)
/** How often ends are corrected in a row, on a machine that is too busy to do it at once. */
const ROUNDS = 3
/** How often to check whether the machine was suspended, and how long a suspension must be to count. */
const SUSPENSION_INTERVAL = milliseconds(1000)
const SHORTEST_SUSPENSION = milliseconds(20)
/**
 * How long connections that are older than the gate may be silent. Keepalive, which sshd asks for, speaks up
 * after two hours; from then on the kernel tracks the connection like any other.
 */
const SILENCE = milliseconds(3 * 60 * 60_000)

/** The chains that every table of ours has, of any version; and the others. */
const CHAINS: readonly string[] = ['gate', 'nat_pre', 'delivered', 'nat_post']
const MORE_CHAINS: readonly string[] = ['forwarded', 'onwards', 'held', 'held_here', 'held_on']

class KernelTable implements KernelFirewall {
  readonly #nft: Nftables
  readonly #shape: TableShape
  readonly #owner: TableOwner
  #ownership: Ownership = 'free'
  readonly #book: Book
  readonly #clocks: Clocks
  #kept: Kept = { grants: [], lost: 0 }
  #suspensionTimer: NodeJS.Timeout | undefined
  /** How long the machine had been suspended when the ends in the kernel were last right. */
  #suspended: number
  /** In gate mode: connections from before the gate. */
  #known: { readonly elements: readonly Element[]; readonly until: Instant } | undefined
  /** Flows that were ended. */
  readonly #held = new HeldFlows()
  #installed = false
  #watch: Watch | undefined
  #retry: NodeJS.Timeout | undefined
  /** The latest repair failed. */
  #isBroken = false
  /** The times of the latest repairs, oldest first. */
  #mends: Instant[] = []

  constructor(nft: Nftables, shape: TableShape, owner: TableOwner, clocks: Clocks) {
    this.#nft = nft
    this.#shape = shape
    this.#owner = owner
    this.#book = new Book(shape.maxGrants)
    this.#clocks = clocks
    this.#suspended = this.#suspendedFor()
  }

  async install(): Promise<Result<void, FirewallFailure>> {
    const ownership = this.#tryOwnership()
    if (!ownership.ok) return ownership
    this.#ownership = ownership.value
    const ledger = this.#readLedger()
    if (!ledger.ok) return ledger
    this.#restore(ledger.value)
    const held = this.#readHeld()
    if (!held.ok) return held
    const now = this.#now()
    const { mode } = this.#shape
    if (mode.kind === 'gate') {
      const elements = connectionElements(connectionsTo(mode.protectedPorts))
      this.#known = { elements, until: (now + SILENCE) as Instant }
    }
    const done = this.#renew(ledger.value)
    this.#installed = done.ok
    return done
  }

  kept(): Kept {
    return this.#kept
  }

  async open(grants: Parameters<Firewall['open']>[0]): Promise<readonly Result<Opened, FirewallFailure>[]> {
    if (!this.#installed) return grants.map(() => refuse('FIREWALL_UNAVAILABLE', 'the table is not installed'))
    const results: Result<Opened, FirewallFailure>[] = []
    for (let from = 0; from < grants.length; from += GRANTS_AT_ONCE)
      results.push(...this.#open(grants.slice(from, from + GRANTS_AT_ONCE)))
    return results
  }

  async revoke(ids: readonly GrantId[]): Promise<Result<void, FirewallFailure>> {
    for (let from = 0; from < ids.length; from += GRANTS_AT_ONCE) {
      const now = this.#now()
      const changes = ids.slice(from, from + GRANTS_AT_ONCE).flatMap((id) => this.#book.revoke(id, now) ?? [])
      if (changes.length === 0) continue
      const applied = this.#apply(changes, now)
      if (applied.ok) continue
      for (const change of changes.toReversed()) this.#book.undo(change, now)
      return applied
    }
    return ok(undefined)
  }

  async endConnections(which: LetIn): Promise<Result<EndedConnections, FirewallFailure>> {
    const { endLetIn } = await import('../connections/end-connections.ts')
    return await endLetIn(which, this.#shape.mark, async (flows) => this.#hold(flows))
  }

  async grants(): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const ledger = this.#readLedger()
    if (!ledger.ok) return ledger
    const now = this.#now()
    return ok(
      parseLedger(ledger.value).records.flatMap(({ grant, until }) =>
        until > now ? [{ grant, remaining: milliseconds(until - now) }] : [],
      ),
    )
  }

  /** Grants end at their second, even if the machine is suspended meanwhile. */
  watch({ onMended, onHostChange = () => {}, onUnrest = () => {} }: FirewallListeners): Result<void, FirewallFailure> {
    this.#watch?.close()
    const watch = watchTable(this.#shape.table, this.#nft.portIds, {
      ours: (change) => this.#mend(change, onMended),
      others: () => {
        onUnrest()
        onHostChange()
      },
    })
    if (!watch.ok) return watch
    this.#watch = watch.value
    clearInterval(this.#suspensionTimer)
    this.#suspensionTimer = setInterval(() => this.#followSuspension(), SUSPENSION_INTERVAL).unref()
    return this.#installed ? this.#rebuild() : ok(undefined)
  }

  async hostFindings(ports: PortsInUse): Promise<Result<readonly Finding[], FirewallFailure>> {
    const { mode, table, mark } = this.#shape
    // Not loaded at the start: a server is ready before it judges its host.
    const [{ hasIpv6, readHost }, { findings }] = await Promise.all([
      import('../host/read-host.ts'),
      import('../host/findings.ts'),
    ])
    const read = await readHost(this.#nft)
    if (!read.ok) return read
    const gate = mode.kind === 'gate' ? { protectedPorts: mode.protectedPorts } : {}
    return ok(findings(read.value, { ...ports, ...gate, table, mark, ipv6: hasIpv6() }))
  }

  async isInPlace(): Promise<boolean> {
    if (!this.#installed || this.#isBroken) return false
    const chains = chainsWithRules(this.#shape.table)
    return chains.ok && CHAINS.every((chain) => chains.value.has(chain))
  }

  guard(): Guard {
    return this.#ownership === 'owned' ? 'owned' : 'watched'
  }

  load(): undefined {
    return undefined
  }

  async installed(): Promise<Result<Installed, FirewallFailure>> {
    const chain = this.#nft.run(`list chain inet ${this.#shape.table} gate\n`)
    if (!chain.ok) return chain.failure.missing ? ok({ kind: 'absent' }) : chain
    const set = this.#nft.listSet('inet', this.#shape.table, 'protected')
    if (!set.ok) return set.failure.missing ? ok({ kind: 'mark' }) : set
    return ok({ kind: 'gate', protectedPorts: protectedPortsIn(set.value) })
  }

  async afterRemoval(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>> {
    const [{ hasIpv6, readHost }, { afterRemoval }] = await Promise.all([
      import('../host/read-host.ts'),
      import('../host/after-removal.ts'),
    ])
    const read = await readHost(this.#nft)
    return read.ok ? ok(afterRemoval(read.value, { table: this.#shape.table, ipv6: hasIpv6(), ports })) : read
  }

  async foreignChain(): Promise<Result<string | undefined, FirewallFailure>> {
    const { parseListing } = await import('../host/ruleset.ts')
    const listed = this.#nft.run('list chains inet\n')
    if (!listed.ok) return listed
    const { table } = this.#shape
    const found = parseListing(listed.value).find(({ family, name }) => family === 'inet' && name === table)
    // A table of ours may have lost a chain, or another program may have added one.
    if (found === undefined || CHAINS.every((one) => found.chains.has(one))) return ok(undefined)
    return ok([...found.chains.keys()].find((one) => ![...CHAINS, ...MORE_CHAINS].includes(one)))
  }

  async lookAlikes(): Promise<Result<readonly string[], FirewallFailure>> {
    const { parseListing } = await import('../host/ruleset.ts')
    const listed = this.#nft.listRules()
    if (!listed.ok) return listed
    const { table } = this.#shape
    const ours = parseListing(listed.value).filter(
      ({ family, name, chains }) => family === 'inet' && name !== table && CHAINS.every((one) => chains.has(one)),
    )
    return ok(ours.map(({ name }) => name))
  }

  async listing(which: RulesToList): Promise<Result<string, FirewallFailure>> {
    if (which === 'all') return this.#nft.listWhole('ruleset')
    const listed = this.#nft.listWhole(`table inet ${this.#shape.table}`)
    return !listed.ok && listed.failure.missing ? ok('') : listed
  }

  async uninstall(): Promise<Result<void, FirewallFailure>> {
    this.#installed = false
    const removed = this.#nft.run(renderRemoval(this.#shape, this.#persists()))
    if (removed.ok) this.#held.clear()
    return removed.ok ? ok(undefined) : removed
  }

  async close(): Promise<void> {
    this.#installed = false
    clearTimeout(this.#retry)
    clearInterval(this.#suspensionTimer)
    this.#watch?.close()
    this.#nft.close()
  }

  /** One transaction for all. If it fails, halves of it, until the bad grants are alone. */
  #open(grants: Parameters<Firewall['open']>[0]): Result<Opened, FirewallFailure>[] {
    const now = this.#now()
    const results = new Array<Result<Opened, FirewallFailure>>(grants.length).fill(ok(undefined))
    const changes: Change[] = []
    const admitted: number[] = []
    for (const [i, grant] of grants.entries()) {
      const change = this.#book.admit(grant, now)
      if (change.ok) {
        changes.push(change.value)
        admitted.push(i)
        results[i] = ok(endedBy(change.value))
      } else results[i] = change
    }
    const applied = this.#apply(changes, now)
    if (applied.ok) return results

    for (const change of changes.toReversed()) this.#book.undo(change, now)
    const half = applied.failure.code === 'FIREWALL_UNAVAILABLE' ? 0 : admitted.length >> 1
    if (half === 0) {
      for (const i of admitted) results[i] = applied
      return results
    }
    for (const part of [admitted.slice(0, half), admitted.slice(half)]) {
      const outcomes = this.#open(part.map((i) => grants[i]).filter((grant) => grant !== undefined))
      for (const [k, i] of part.entries()) results[i] = outcomes[k] ?? applied
    }
    return results
  }

  /** Makes the kernel follow the changes of the book. */
  #apply(changes: readonly Change[], now: Instant): Result<void, NftFailure> {
    const applied = this.#carry((care) => commandsFor(changes, now, care))
    // Careful commands delete nothing that does not exist, so the table itself or a set of it must be missing.
    return !applied.ok && applied.failure.missing ? this.#rebuild() : applied
  }

  /** Runs commands, and again more carefully if that fails. */
  #carry(commandsWith: (care: Care) => readonly Command[]): Result<void, NftFailure> {
    let refused: Result<void, NftFailure> = ok(undefined)
    for (const care of ['quick', 'careful'] as const) {
      const commands = commandsWith(care)
      if (commands.length === 0) return ok(undefined)
      refused = this.#nft.change(this.#shape.table, commands)
      if (refused.ok || refused.failure.code === 'FIREWALL_UNAVAILABLE') break
    }
    return refused
  }

  /** Whether our table can have an owner: tried, since it depends on the kernel and on the library. */
  #tryOwnership(): Result<Ownership, FirewallFailure> {
    if (this.#owner === 'N') return ok('free')
    const tried = this.#nft.run(renderTrial(this.#shape))
    if (tried.ok) return ok('owned')
    if (this.#owner === 'auto') return ok('free')
    return refuse(
      'FIREWALL_UNAVAILABLE',
      `NFT_TABLE_OWNER Y: this host cannot make a table with an owner (that needs Linux 6.9 and nftables 1.1.0): ${tried.failure.detail}`,
      { suggestion: 'NFT_TABLE_OWNER auto;' },
    )
  }

  /** Whether a table with our name has the flag now: an owned one, or one whose owner is gone. */
  #persists(): boolean {
    const flags = tableFlags(this.#shape.table)
    return flags.ok && (flags.value & TABLE_PERSISTS) !== 0
  }

  /** Takes over the grants of the ledger, with their ends. */
  #restore(ledger: readonly FoundElement[]): void {
    const now = this.#now()
    const { records, unread } = parseLedger(ledger)
    let lost = unread
    for (const { grant, number, until } of records) {
      // A smaller MAX_GRANTS may leave some out: their doors close.
      if (until > now && !this.#book.restore(grant, number, until as Instant, now)) lost++
    }
    const grants = this.#book.live(now).map(({ grant, until }) => ({ grant, remaining: milliseconds(until - now) }))
    this.#kept = { grants, lost }
  }

  /** Makes the table match the book. What is already right stays, so that its end is not written again. */
  #renew(ledger: readonly FoundElement[]): Result<void, NftFailure> {
    const names = dumpNames(this.#shape.table)
    if (!names.ok || !isTableOf(this.#shape, names.value)) return this.#rebuild()
    const renewed = this.#nft.run(renderAgain(this.#shape, this.#ownership) + this.#knownConnections(this.#now()))
    return renewed.ok ? this.#setRight(ledger) : this.#rebuild()
  }

  /** Makes the table match the book in one transaction, regardless of its contents. */
  #rebuild(): Result<void, NftFailure> {
    const now = this.#now()
    const rebuilt = this.#nft.run(this.#doors(now) + this.#records(now))
    if (!rebuilt.ok) return rebuilt
    this.#endWhatBegan()
    return this.#now() - now > SLOW ? this.#setRight() : ok(undefined)
  }

  /** The same with the doors first, in half the time. @param onOpen called when the doors are right. */
  #rebuildInHaste(onOpen: () => void): Result<void, NftFailure> {
    const now = this.#now()
    const doors = this.#nft.run(this.#doors(now))
    if (!doors.ok) return doors
    onOpen()
    this.#endWhatBegan()
    const records = this.#records(now)
    if (records !== '') {
      const recorded = this.#nft.run(records)
      if (!recorded.ok) return recorded
    }
    return this.#now() - now > SLOW ? this.#setRight() : ok(undefined)
  }

  /**
   * Makes each element exist and end as in the book, in many small transactions.
   * @param ledger its contents, if just read.
   */
  #setRight(ledger?: readonly FoundElement[]): Result<void, NftFailure> {
    for (let round = 0; round < ROUNDS; round++) {
      const found: FoundElement[] = [...((round === 0 && ledger) || [])]
      for (const set of SET_NAMES) {
        if (set === 'ledger' && round === 0 && ledger !== undefined) continue
        const read = dumpSet(this.#shape.table, set, () => this.#now())
        if (!read.ok) return read
        found.push(...read.value)
      }
      const moves = differences(this.#book, found, this.#now(), ledger !== undefined && round === 0 ? NEAR : SLOW)
      if (moves.length === 0) return ok(undefined)
      for (let from = 0; from < moves.length; from += ELEMENTS_AT_ONCE) {
        const part = moves.slice(from, from + ELEMENTS_AT_ONCE)
        const moved = this.#carry((care) => commandsToMove(part, this.#now(), care))
        if (!moved.ok) return moved
      }
    }
    return ok(undefined)
  }

  /** The kernel's timeouts stop while the machine is suspended. A grant's lifetime does not. */
  #followSuspension(): void {
    const suspended = this.#suspendedFor()
    if (!this.#installed || Math.abs(suspended - this.#suspended) < SHORTEST_SUSPENSION) return
    // A failure is tried again a second later.
    if (this.#setRight().ok) this.#suspended = suspended
  }

  #suspendedFor(): number {
    return this.#clocks.withSuspension() - this.#clocks.withoutSuspension()
  }

  #now(): Instant {
    return this.#clocks.withSuspension() as Instant
  }

  #doors(now: Instant): string {
    return (
      renderTable(this.#shape, this.#ownership, this.#persists()) +
      this.#text(commandsToOpen(this.#book.open(now), now)) +
      this.#knownConnections(now) +
      this.#text(commandsToAdd(this.#held.elements(), (now + HELD_TIME) as Instant, now))
    )
  }

  #knownConnections(now: Instant): string {
    if (this.#known === undefined) return ''
    return this.#text(commandsToAdd(this.#known.elements, this.#known.until, now))
  }

  #records(now: Instant): string {
    return this.#text(commandsToRecord(this.#book.live(now), now))
  }

  #text(commands: readonly Command[]): string {
    return renderCommands(this.#shape.table, commands)
  }

  #mend(change: ForeignChange, onMended: (mended: Mended) => void): void {
    if (!this.#installed) return
    clearTimeout(this.#retry)
    const heard = this.#now()
    this.#mends = this.#mends.filter((at) => at > heard - 1_000)
    if (this.#mends.length >= MENDS_A_SECOND) {
      // Two programs that each undo the other's changes would keep the machine busy.
      this.#retry = setTimeout(() => this.#mend(change, onMended), MEND_AGAIN_AFTER)
      return
    }
    this.#mends.push(heard)
    let whole = heard
    const outcome = this.#rebuildInHaste(() => {
      whole = this.#now()
    })
    const took = milliseconds(whole - heard)
    this.#isBroken = !outcome.ok
    if (!outcome.ok) this.#retry = setTimeout(() => this.#mend(change, onMended), MEND_AGAIN_AFTER)
    onMended({ change, grants: this.#book.live(heard).length, took, outcome })
  }

  /** What these services send begins no connection any more. */
  #hold(flows: readonly Tracked[]): Result<void, FirewallFailure> {
    if (!this.#installed) return refuse('FIREWALL_UNAVAILABLE', 'the table is not installed')
    const read = this.#readHeld()
    if (!read.ok) return read
    const { added, removed, left } = this.#held.hold(flows)
    const now = this.#now()
    const until = (now + HELD_TIME) as Instant
    // One that is there may be about to end: so each is written anew.
    const moves: Move[] = [
      ...removed.map((element) => ({ element, from: now })),
      ...added.map((element) => ({ element, from: now, to: until })),
    ]
    for (let from = 0; from < moves.length; from += ELEMENTS_AT_ONCE) {
      const part = commandsToMove(moves.slice(from, from + ELEMENTS_AT_ONCE), now, 'careful')
      const changed = this.#nft.change(this.#shape.table, part)
      if (changed.ok) continue
      if (!changed.failure.missing) return changed
      const rebuilt = this.#rebuild()
      if (!rebuilt.ok) return rebuilt
      break
    }
    return left === 0 ? ok(undefined) : notHeldBack(left)
  }

  /**
   * While the table was gone, a service may have begun a flow that is held back. In gate mode, its client as well:
   * what a grant let in carries the mark.
   */
  #endWhatBegan(): void {
    if (this.#held.elements().length === 0) return
    // Where connections cannot be listed, none was ever ended.
    void import('../connections/end-connections.ts').then(({ endWhatBegan }) =>
      endWhatBegan(
        ({ protocol, original, reply, mark }) =>
          this.#held.has(protocol, original) || ((mark & this.#shape.mark) === 0 && this.#held.has(protocol, reply)),
      ),
    )
  }

  /** Takes over the flows that the kernel holds. Without a table, those that are known stay. */
  #readHeld(): Result<void, FirewallFailure> {
    const found: FoundElement[] = []
    for (const set of HELD_SET_NAMES) {
      const read = dumpSet(this.#shape.table, set, () => this.#now())
      if (!read.ok) return read.failure.missing ? ok(undefined) : read
      found.push(...read.value)
    }
    this.#held.keepOnly(found)
    return ok(undefined)
  }

  /** The contents of the ledger; empty if there is no table yet. */
  #readLedger(): Result<FoundElement[], FirewallFailure> {
    const read = dumpSet(this.#shape.table, 'ledger', () => this.#now())
    return !read.ok && read.failure.missing ? ok([]) : read
  }
}

/** `elements = { tcp . 22, 17 . 53 }` */
function protectedPortsIn(listing: string): readonly ProtocolPort[] {
  const ports: ProtocolPort[] = []
  for (const [, protocol, number] of listing.matchAll(/\b(tcp|udp|6|17) \. (\d+)/g)) {
    const port = parsePort(number ?? '')
    if (port.ok) ports.push({ protocol: protocol === 'tcp' || protocol === '6' ? 'tcp' : 'udp', port: port.value })
  }
  return ports
}

const kernelClocks: Clocks = {
  withSuspension: () => sinceBoot('counted'),
  withoutSuspension: () => sinceBoot('not counted'),
}
