/** Sends a probe through the host's base chains, in netfilter's order. */
import type { Probe } from './probe.ts'
import type { HostChain, HostRuleLine, HostTable } from './ruleset.ts'

/** What happens to a probe in a chain. */
interface Passage {
  /** What ends it, unless a rule of `mayDrop` or `mayAccept` ended it before. Absent: it leaves at the chain's end. */
  readonly end?: { readonly does: 'accept' | 'drop'; readonly rule: HostRuleLine }
  /** Rules that may drop or redirect it. */
  readonly mayDrop: readonly HostRuleLine[]
  /** Rules that may accept it. */
  readonly mayAccept: readonly HostRuleLine[]
  /** Rules that exclude it, or may exclude it, from connection tracking. */
  readonly untracking: readonly HostRuleLine[]
}

/** What one base chain does with a probe. */
export interface ChainOutcome extends Omit<Passage, 'end'> {
  readonly chain: HostChain
  readonly by: HostTable['by']
  readonly end: 'accept' | 'drop'
  /** The rule that ends it; absent: the policy of the chain. */
  readonly rule?: HostRuleLine
}

/** What each base chain at one of `hooks` does, in the kernel's order. */
export function walk(tables: readonly HostTable[], hooks: readonly string[], probe: Probe): readonly ChainOutcome[] {
  const outcomes: ChainOutcome[] = []
  for (const { family, chains, by } of tables) {
    if (family !== 'inet' && family !== 'netdev' && family !== probe.family) continue
    const known = new Map<string, Passage>()
    for (const chain of chains.values()) {
      const { base } = chain
      if (base === undefined || !hooks.includes(base.hook)) continue
      const { end, ...passed } = pass(chain, chains, probe, known)
      outcomes.push({ chain, by, ...passed, end: end?.does ?? base.policy, ...(end && { rule: end.rule }) })
    }
  }
  const rank = ({ chain: { base } }: ChainOutcome): number =>
    hooks.indexOf(base?.hook ?? '') * 1e6 + (base?.priority ?? 0)
  return outcomes.sort((one, other) => rank(one) - rank(other))
}

/** @param known results for this table and probe: many rules jump to one chain. The kernel allows no loops. */
function pass(chain: HostChain, chains: HostTable['chains'], probe: Probe, known: Map<string, Passage>): Passage {
  const before = known.get(chain.name)
  if (before !== undefined) return before
  const mayDrop: HostRuleLine[] = []
  const mayAccept: HostRuleLine[] = []
  const untracking: HostRuleLine[] = []
  const passage = { mayDrop, mayAccept, untracking }
  known.set(chain.name, passage)
  // Netdev chains see packets of one device only.
  let sure = chain.family !== 'netdev'
  const ended = (end: Passage['end']): Passage => {
    const whole = { ...passage, ...(end && { end }) }
    known.set(chain.name, whole)
    return whole
  }

  for (const rule of chain.rules) {
    for (const { verdict, about } of rule.parts) {
      const match = about(probe)
      if (match === 'no') continue
      const certain = sure && match === 'yes'
      switch (verdict.does) {
        case 'accept':
        case 'drop':
          if (certain) return ended({ does: verdict.does, rule })
          if (verdict.does === 'accept') mayAccept.push(rule)
          else mayDrop.push(rule)
          break
        case 'divert':
          mayDrop.push(rule)
          mayAccept.push(rule)
          break
        case 'notrack':
          untracking.push(rule)
          break
        case 'return':
          if (certain) return ended(undefined)
          // Some packets leave here, so the rest of this chain does not apply to all.
          sure = false
          break
        case 'jump':
        case 'goto': {
          const target = chains.get(verdict.chain)
          if (target === undefined) {
            mayDrop.push(rule)
            mayAccept.push(rule)
            break
          }
          const there = pass(target, chains, probe, known)
          mayDrop.push(...there.mayDrop)
          mayAccept.push(...there.mayAccept)
          untracking.push(...there.untracking)
          if (certain && there.end !== undefined) return ended(there.end)
          if (there.end?.does === 'accept') mayAccept.push(there.end.rule)
          if (there.end?.does === 'drop') mayDrop.push(there.end.rule)
          if (verdict.does === 'goto' && there.end === undefined) {
            if (certain) return ended(undefined)
            sure = false
          }
          break
        }
        case 'nothing':
          break
        default:
          verdict satisfies never
      }
    }
  }
  return ended(undefined)
}
