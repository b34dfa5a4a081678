/**
 * The rules that are in the kernel, and how they follow what is wanted: single rules are added and removed. If that
 * fails, or a chain, a jump or a rule is missing, all rules of the family are written anew.
 */
import type { GrantId } from '../../access/grant.ts'
import type { ChainRole, ChainsShape } from '../../config/server/firewall-settings.ts'
import type { AddressFamily } from '../../packet/address.ts'
import { ok, type Result } from '../../result.ts'
import type { Instant } from '../book.ts'
import type { FirewallFailure, StrayRule } from '../firewall.ts'
import type { HeldId } from './held-flows.ts'
import type { Programs } from './programs.ts'
import { type Batch, changeRules, type Rule, rewriteChains, rolesOf } from './rules.ts'
import { endOf, jumpsTo, markOf, ownRules } from './save.ts'
import { FAMILIES, placesOf, readTables, type SavedTables } from './tables.ts'

/** The rules of a grant, or of a flow that was ended. */
export interface Placed {
  readonly family: AddressFamily
  readonly rules: readonly Rule[]
  readonly until: Instant
}

/** What other programs did to our chains. */
export interface Damage {
  /** A chain, a jump or a rule of ours is gone. */
  readonly isMissing: boolean
  readonly strays: readonly StrayRule[]
}

/** Who has rules: a grant, or a flow that was ended. */
export type RuleOwner = GrantId | HeldId

/** The live owners that are asked for, each with the rules that it needs. */
export type Wanted = (isAsked: (id: RuleOwner, family: AddressFamily) => boolean) => ReadonlyMap<RuleOwner, Placed>

export class PlacedRules {
  readonly #programs: Programs
  readonly #shape: ChainsShape
  readonly #wanted: Wanted
  readonly #placed = new Map<RuleOwner, Placed>()
  /** The chains that exist, with their jumps, as far as is known. */
  readonly #roles: Readonly<Record<AddressFamily, Set<ChainRole>>> = { 4: new Set(), 6: new Set() }
  /** A program failed, and may have changed the rules nevertheless: what is in the kernel is not known. */
  readonly #inDoubt = new Set<AddressFamily>()

  constructor(programs: Programs, shape: ChainsShape, wanted: Wanted) {
    this.#programs = programs
    this.#shape = shape
    this.#wanted = wanted
  }

  /** Makes the rules of these owners those that are wanted. Both families at once. */
  async settle(ids: ReadonlySet<RuleOwner>): Promise<Result<void, FirewallFailure>> {
    const live = this.#wanted((id) => ids.has(id))
    const wanted = new Map([...ids].map((id) => [id, live.get(id)] as const))
    const outcomes = await Promise.all(FAMILIES.map((family) => this.#settleFamily(family, wanted)))
    return outcomes.find(({ ok }) => !ok) ?? ok(undefined)
  }

  async #settleFamily(
    family: AddressFamily,
    wanted: ReadonlyMap<RuleOwner, Placed | undefined>,
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
    if (missing || this.#inDoubt.has(family)) return await this.rewrite(family)
    const changed = await this.#restore(family, changeRules(this.#shape, added, removed))
    if (!changed.ok && changed.failure.code === 'FIREWALL_UNAVAILABLE') return changed
    if (!changed.ok) return await this.rewrite(family)
    for (const [id, to] of mine) {
      if (to === undefined) this.#placed.delete(id)
      else this.#placed.set(id, to)
    }
    return ok(undefined)
  }

  /** Writes our rules of a family anew. @param strangers rules of others in our chains. */
  async rewrite(family: AddressFamily, strangers: 'stay' | 'go' = 'stay'): Promise<Result<void, FirewallFailure>> {
    const placed = this.#wanted((_, of) => of === family)
    const rules = [...placed.values()].flatMap(({ rules }) => rules)
    const { chains, output } = this.#shape
    const tables = await readTables(this.#programs, chains, family)
    if (!tables.ok) return tables
    const roles = new Set<ChainRole>(['input', ...(output ? (['output'] as const) : []), ...rolesOf(rules)])
    for (const [role, { table, chain }] of placesOf(chains)) if (tables.value.get(table)?.has(chain)) roles.add(role)
    const ordered = placesOf(chains).flatMap(([role]) => (roles.has(role) ? [role] : []))
    const batch = rewriteChains(this.#shape, ordered, rules, (place) => {
      const { jumps, rules: hostRules } = jumpsTo(tables.value, place)
      const found = tables.value.get(place.table)?.get(place.chain) ?? []
      const own = ownRules(found)
      const isShared = strangers === 'stay' && own.length < found.length
      return { hasJump: jumps > 0, hostRules, removed: isShared ? own.map(({ text }) => text) : 'all' }
    })
    const written = await this.#restore(family, batch)
    if (!written.ok) return written
    this.#inDoubt.delete(family)
    for (const role of roles) this.#roles[family].add(role)
    for (const [id, { family: of }] of this.#placed) if (of === family) this.#placed.delete(id)
    for (const [id, one] of placed) this.#placed.set(id, one)
    return ok(undefined)
  }

  /** Whether a change failed, and our rules of the family have not been written anew since. */
  isInDoubt(family: AddressFamily): boolean {
    return this.#inDoubt.has(family)
  }

  /** A program that is killed, or that takes too long, may have done its work. So each failure leaves a doubt. */
  async #restore(family: AddressFamily, batch: Batch): Promise<Result<void, FirewallFailure>> {
    const done = await this.#programs.restore(family, String(batch))
    if (!done.ok) this.#inDoubt.add(family)
    return done
  }

  /** How the chains differ from what was written; undefined if they do not. Rules of others are no difference. */
  damage(family: AddressFamily, tables: SavedTables): Damage | undefined {
    const { chains } = this.#shape
    const wanted = new Map<ChainRole, string[]>()
    for (const role of this.#roles[family]) wanted.set(role, [])
    for (const placed of this.#placed.values())
      if (placed.family === family)
        for (const { role, text } of placed.rules) wanted.get(role)?.push(markOf(text.replaceAll('"', '').split(' ')))
    let isMissing = false
    const strays: StrayRule[] = []
    for (const [role, marks] of wanted) {
      const { table, chain } = chains[role]
      const found = tables.get(table)?.get(chain)
      const left = tallyOf(marks)
      for (const [i, { words }] of found?.entries() ?? []) {
        const until = endOf(words)
        if (until === undefined) continue
        const count = left.get(markOf(words)) ?? 0
        if (count === 0) strays.push({ chain, rule: i + 1, until })
        else left.set(markOf(words), count - 1)
      }
      const isLost = found === undefined || [...left.values()].some((count) => count > 0)
      if (isLost || jumpsTo(tables, chains[role]).jumps === 0) isMissing = true
    }
    return isMissing || strays.length > 0 ? { isMissing, strays } : undefined
  }

  /** When the next of them ends; undefined if there are none. */
  get nextEnd(): Instant | undefined {
    let next: Instant | undefined
    for (const { until } of this.#placed.values()) if (next === undefined || until < next) next = until
    return next
  }

  /** Owners that ended, with rules that are still in the kernel. It does not match them any more. */
  endedAt(now: Instant): ReadonlySet<RuleOwner> {
    return new Set([...this.#placed].flatMap(([id, { until }]) => (until <= now ? [id] : [])))
  }

  /** The chains of a family were removed. */
  forgetChains(family: AddressFamily): void {
    this.#roles[family].clear()
  }

  /** All rules were removed. */
  forgetRules(): void {
    this.#placed.clear()
    this.#inDoubt.clear()
  }
}

function isSame(one: Rule, other: Rule): boolean {
  return one.role === other.role && one.text === other.text
}

/** How often each is there. */
function tallyOf(marks: readonly string[]): Map<string, number> {
  const tally = new Map<string, number>()
  for (const mark of marks) tally.set(mark, (tally.get(mark) ?? 0) + 1)
  return tally
}
