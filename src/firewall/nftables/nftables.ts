/**
 * The kernel's nftables as a {@link Firewall}: one table of ours, whose elements are the grants and expire by themselves.
 * What is open is kept in a book beside it, so that the kernel's sets, which take long to list, are read only at the start
 * and when somebody asks; the book is also what a table that somebody flushed is mended from.
 */
import type { GrantId, LiveGrant } from '../../access/grant.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds, parsePort } from '../../units.ts'
import { Book, type Change, endedBy, type Instant } from '../book.ts'
import type { Firewall, FirewallFailure, Opened } from '../firewall.ts'
import type { LeftPort } from '../host/departure.ts'
import type { Finding, HostQuestion } from '../host/findings.ts'
import { connectionElements, connectionsTo } from './connections.ts'
import type { Element } from './elements.ts'
import { parseLedger } from './ledger.ts'
import { type Nftables, type NftFailure, openNftables } from './library.ts'
import type { ForeignChange } from './notification.ts'
import {
  type CoexistenceMode,
  type ConnectionMark,
  DEFAULT_MARK,
  DEFAULT_MAX_GRANTS,
  DEFAULT_TABLE,
  type TableName,
  type TableShape,
} from './settings.ts'
import { renderChanges, renderDoors, renderElements, renderRecords } from './transaction.ts'
import { type Watch, watchTable } from './watch.ts'

export interface NftablesOptions {
  readonly mode: CoexistenceMode
  /** NFT_TABLE; default `ghostport`. */
  readonly table?: TableName
  /** CONNTRACK_MARK; default 0x200000. */
  readonly mark?: ConnectionMark
  /** MAX_GRANTS: how many ports may be open at once in each address family; default 65 535. */
  readonly maxGrants?: number
  /** The shared library to load; default `libnftables.so.1`. */
  readonly library?: string
}

/** Somebody else changed our table, and what became of it. */
export interface Mended {
  readonly change: ForeignChange
  /** How many grants were live and are open again. */
  readonly grants: number
  /** From hearing of it to the table being whole and every door of a grant open; 0 where that failed. */
  readonly took: Milliseconds
  /** A failure is tried again every second. */
  readonly outcome: Result<void, FirewallFailure>
}

export interface NftablesFirewall extends Firewall {
  readonly kernelExpires: true
  /**
   * From now on, puts our table back whenever somebody else changes it: all that was live is open again, all that they
   * added is gone. Ends with `close()`.
   * @param onMended called after each time, for the log.
   * @param onHostChange called when somebody changes other rules of the host; often, where they do so often.
   */
  watch(onMended: (mended: Mended) => void, onHostChange?: () => void): Result<void, FirewallFailure>
  /** What the host's own rules do to grants, and leave open without one. Reads all of them: 30 ms for a thousand. */
  hostFindings(
    question: Pick<HostQuestion, 'ports' | 'decoys' | 'knocks' | 'forwarding'>,
  ): Promise<Result<readonly Finding[], FirewallFailure>>
  /** What is installed, read back from the kernel, whatever the options say. */
  installed(): Result<CoexistenceMode | { readonly kind: 'absent' }, FirewallFailure>
  /** A chain that shows that the table of this name is somebody else's; undefined where it is ours, empty or absent. */
  foreignChain(): Promise<Result<string | undefined, FirewallFailure>>
  /** How the host's own rules leave these ports when our table is gone. */
  departure(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>>
  /** Names of tables that are not this one and have the chains of one of ours. */
  lookAlikes(): Promise<Result<readonly string[], FirewallFailure>>
  /** Takes our table away, and every grant with it. In gate mode that lets the protected ports in. */
  uninstall(): Promise<Result<void, FirewallFailure>>
}

/** @returns `FIREWALL_UNAVAILABLE` where libnftables or the kernel's netfilter is missing. */
export function createNftablesFirewall(options: NftablesOptions): Result<NftablesFirewall, FirewallFailure> {
  const { mode, maxGrants = DEFAULT_MAX_GRANTS } = options
  if (mode.kind === 'gate' && mode.protectedPorts.length === 0) {
    return refuse('FIREWALL_UNAVAILABLE', 'a gate needs at least one protected port')
  }
  const opened = openNftables(options.library)
  if (!opened.ok) return opened
  const { table = DEFAULT_TABLE, mark = DEFAULT_MARK } = options
  return ok(new KernelTable(opened.value, { table, mode, mark, maxGrants }))
}

/** Somebody who changes our table more often than this within a second is waited out. */
const MENDS_A_SECOND = 20
const RETRY_AFTER = 1_000
/**
 * How long (milliseconds) connections that are older than the gate may be silent. Keepalive, which sshd asks for, speaks up
 * after two hours; from then on the kernel tracks the connection like any other.
 */
const SILENCE = 3 * 60 * 60_000

/** The chains of a table of ours, in either mode. */
const CHAINS: readonly string[] = ['gate', 'nat_pre', 'delivered', 'nat_post']

class KernelTable implements NftablesFirewall {
  readonly kernelExpires = true
  readonly #nft: Nftables
  readonly #shape: TableShape
  readonly #book: Book
  /** In gate mode: connections that were there before the gate. */
  #known: { readonly elements: readonly Element[]; readonly until: Instant } | undefined
  #installed = false
  #watch: Watch | undefined
  #retry: NodeJS.Timeout | undefined
  /** When the latest mends were, oldest first. */
  #mends: Instant[] = []

  constructor(nft: Nftables, shape: TableShape) {
    this.#nft = nft
    this.#shape = shape
    this.#book = new Book(shape.maxGrants)
  }

  async install(): Promise<Result<void, FirewallFailure>> {
    const listed = this.#listLedger()
    if (!listed.ok) return listed
    const now = monotonic()
    for (const { grant, remaining } of parseLedger(listed.value).records) {
      // A smaller MAX_GRANTS than before may leave some out: their doors close.
      this.#book.admit(grant, now, (now + remaining) as Instant)
    }
    const { mode } = this.#shape
    if (mode.kind === 'gate') {
      const elements = connectionElements(connectionsTo(mode.protectedPorts))
      this.#known = { elements, until: (now + SILENCE) as Instant }
    }
    const rebuilt = this.#rebuild()
    this.#installed = rebuilt.ok
    return rebuilt
  }

  async open(grants: Parameters<Firewall['open']>[0]): Promise<readonly Result<Opened, FirewallFailure>[]> {
    if (!this.#installed) return grants.map(() => refuse('FIREWALL_UNAVAILABLE', 'the table is not installed'))
    return this.#open(grants)
  }

  async revoke(id: GrantId): Promise<Result<void, FirewallFailure>> {
    const now = monotonic()
    const change = this.#book.revoke(id, now)
    if (change === undefined) return ok(undefined)
    const applied = this.#apply([change], now)
    if (!applied.ok) this.#book.undo(change, now)
    return applied
  }

  async grants(): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const listed = this.#listLedger()
    if (!listed.ok) return listed
    return ok(
      parseLedger(listed.value).records.map(({ grant, remaining }) => ({ grant, remaining: milliseconds(remaining) })),
    )
  }

  watch(onMended: (mended: Mended) => void, onHostChange: () => void = () => {}): Result<void, FirewallFailure> {
    this.#watch?.close()
    const watch = watchTable(this.#shape.table, this.#nft.portIds, {
      ours: (change) => this.#mend(change, onMended),
      others: onHostChange,
    })
    if (!watch.ok) return watch
    this.#watch = watch.value
    // Whatever happened before we listened.
    return this.#rebuild()
  }

  async hostFindings(
    question: Pick<HostQuestion, 'ports' | 'decoys' | 'knocks' | 'forwarding'>,
  ): Promise<Result<readonly Finding[], FirewallFailure>> {
    const { mode, table, mark } = this.#shape
    // Not loaded at the start: a server is ready before it judges its host.
    const [{ hasIpv6, readHost }, { findings }] = await Promise.all([
      import('../host/read-host.ts'),
      import('../host/findings.ts'),
    ])
    const read = await readHost(this.#nft)
    if (!read.ok) return read
    const gate = mode.kind === 'gate' ? { protectedPorts: mode.protectedPorts } : {}
    return ok(findings(read.value, { ...question, ...gate, table, mark, ipv6: hasIpv6() }))
  }

  installed(): Result<CoexistenceMode | { readonly kind: 'absent' }, FirewallFailure> {
    const chain = this.#nft.run(`list chain inet ${this.#shape.table} gate\n`)
    if (!chain.ok) return chain.failure.missing ? ok({ kind: 'absent' }) : chain
    const set = this.#nft.run(`list set inet ${this.#shape.table} protected\n`)
    if (!set.ok) return set.failure.missing ? ok({ kind: 'mark' }) : set
    return ok({ kind: 'gate', protectedPorts: protectedPortsIn(set.value) })
  }

  async departure(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>> {
    const [{ hasIpv6, readHost }, { departure }] = await Promise.all([
      import('../host/read-host.ts'),
      import('../host/departure.ts'),
    ])
    const read = await readHost(this.#nft)
    return read.ok ? ok(departure(read.value, { table: this.#shape.table, ipv6: hasIpv6(), ports })) : read
  }

  async foreignChain(): Promise<Result<string | undefined, FirewallFailure>> {
    const { parseListing } = await import('../host/ruleset.ts')
    const listed = this.#nft.run('list chains inet\n')
    if (!listed.ok) return listed
    const { table } = this.#shape
    const found = parseListing(listed.value).find(({ family, name }) => family === 'inet' && name === table)
    // A table of ours may have lost a chain, or got one more from somebody.
    if (found === undefined || CHAINS.every((one) => found.chains.has(one))) return ok(undefined)
    return ok([...found.chains.keys()].find((one) => !CHAINS.includes(one)))
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

  async uninstall(): Promise<Result<void, FirewallFailure>> {
    this.#installed = false
    const { table } = this.#shape
    const removed = this.#nft.run(`add table inet ${table}\ndelete table inet ${table}\n`)
    return removed.ok ? ok(undefined) : removed
  }

  async close(): Promise<void> {
    this.#installed = false
    clearTimeout(this.#retry)
    this.#watch?.close()
    this.#nft.close()
  }

  /** One transaction for all; where it fails, halves of it, until those to blame are alone. */
  #open(grants: Parameters<Firewall['open']>[0]): Result<Opened, FirewallFailure>[] {
    const now = monotonic()
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

  /** Makes the kernel follow what the book has done already. */
  #apply(changes: readonly Change[], now: Instant): Result<void, NftFailure> {
    let refused: Result<string, NftFailure> = ok('')
    for (const care of ['quick', 'careful'] as const) {
      const script = renderChanges(this.#shape, changes, now, care)
      if (script === '') return ok(undefined)
      refused = this.#nft.run(script)
      if (refused.ok) return ok(undefined)
      if (refused.failure.code === 'FIREWALL_UNAVAILABLE') return refused
    }
    // Careful commands delete nothing that is not there: the table itself, or a set of it, must be missing.
    return refused.ok || !refused.failure.missing ? asVoid(refused) : this.#rebuild()
  }

  /** Leaves the table as the book says, whatever was there, in one transaction. */
  #rebuild(): Result<void, NftFailure> {
    const now = monotonic()
    return asVoid(this.#nft.run(this.#doors(now) + this.#records(now)))
  }

  /** The same with the doors first, in half the time. @param onOpen called when they are as they should be. */
  #rebuildInHaste(onOpen: () => void): Result<void, NftFailure> {
    const now = monotonic()
    const doors = this.#nft.run(this.#doors(now))
    if (!doors.ok) return doors
    onOpen()
    const records = this.#records(now)
    return records === '' ? ok(undefined) : asVoid(this.#nft.run(records))
  }

  #doors(now: Instant): string {
    const doors = renderDoors(this.#shape, this.#book.open(now), now)
    if (this.#known === undefined) return doors
    return doors + renderElements(this.#shape, this.#known.elements, this.#known.until, now)
  }

  #records(now: Instant): string {
    return renderRecords(this.#shape, this.#book.live(now), now)
  }

  #mend(change: ForeignChange, onMended: (mended: Mended) => void): void {
    if (!this.#installed) return
    clearTimeout(this.#retry)
    const heard = monotonic()
    this.#mends = this.#mends.filter((at) => at > heard - 1_000)
    if (this.#mends.length >= MENDS_A_SECOND) {
      // Two that each put back what the other removes would keep the machine busy with nothing else.
      this.#retry = setTimeout(() => this.#mend(change, onMended), RETRY_AFTER)
      return
    }
    this.#mends.push(heard)
    let whole = heard
    const outcome = this.#rebuildInHaste(() => {
      whole = monotonic()
    })
    const took = milliseconds(whole - heard)
    if (!outcome.ok) this.#retry = setTimeout(() => this.#mend(change, onMended), RETRY_AFTER)
    onMended({ change, grants: this.#book.live(heard).length, took, outcome })
  }

  /** The ledger as nftables lists it; empty text where there is no table yet. */
  #listLedger(): Result<string, NftFailure> {
    const listed = this.#nft.run(`list set inet ${this.#shape.table} ledger\n`)
    return !listed.ok && listed.failure.missing ? ok('') : listed
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

function asVoid(result: Result<string, NftFailure>): Result<void, NftFailure> {
  return result.ok ? ok(undefined) : result
}

/** As the kernel's timeouts, not moved by a change of the wall clock. */
function monotonic(): Instant {
  return performance.now() as Instant
}
