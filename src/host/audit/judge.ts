/** Judges the first packet that a stranger sends to a port: what the rules say, and what the kernel did. Pure. */
import { dropsAll, nameOf } from '../../firewall/host/findings.ts'
import type { HostTable } from '../../firewall/host/ruleset.ts'
import { walk } from '../../firewall/host/walk.ts'
import type { ProbeAnswer } from './prober-lines.ts'
import type { Target } from './target.ts'
import type { Traced } from './trace.ts'

export interface Judged {
  readonly verdict: 'open' | 'dropped' | 'unclear'
  /** Which rule, or why it is unclear. Printable after `printable`. */
  readonly by?: string
}

/** @param tables all rules of this host, those of ghostport too. */
export function judgeByRules(
  tables: readonly HostTable[],
  target: Pick<Target, 'family' | 'protocol' | 'port'>,
): Judged {
  const probe = {
    family: target.family === 4 ? 'ip' : 'ip6',
    protocol: target.protocol,
    destinationPort: target.port,
    state: 'new',
    mark: 0,
    from: 'stranger',
  } as const
  const outcomes = walk(tables, ['ingress', 'prerouting', 'input'], probe)
  const dropping = outcomes.find(dropsAll)
  if (dropping !== undefined) {
    const [accepting] = dropping.mayAccept
    const by = dropping.rule === undefined ? `${nameOf(dropping)}: policy drop` : String(dropping.rule)
    return accepting === undefined
      ? { verdict: 'dropped', by }
      : { verdict: 'unclear', by: `dropped, unless “${accepting}” lets it in` }
  }
  const [unsure] = outcomes.flatMap(({ mayDrop }) => mayDrop)
  if (unsure !== undefined) return { verdict: 'unclear', by: `open, unless “${unsure}” drops it` }
  const rule = outcomes.findLast(({ chain }) => chain.base?.hook === 'input')?.rule
  return { verdict: 'open', by: rule === undefined ? 'no rule drops it' : String(rule) }
}

/**
 * @param traced what nftables did; undefined if no packet of the probe was seen.
 * @param legacy whether iptables-legacy has rules as well: they leave no trace.
 */
export function judgeByKernel(
  { protocol }: Pick<Target, 'protocol'>,
  answer: ProbeAnswer,
  traced: Traced | undefined,
  legacy: boolean,
): Judged {
  const by = traced?.by === undefined ? {} : { by: traced.by }
  if (traced?.end === 'drop')
    return answer === 'open'
      ? { verdict: 'unclear', by: `it answered, though traced to “${traced.by}”` }
      : { verdict: 'dropped', ...by }
  if (answer === 'open') return { verdict: 'open', ...by }
  if (answer === 'refused') return { verdict: 'open', ...by }
  if (traced === undefined) return { verdict: 'unclear', by: 'no packet of the probe was seen' }
  if (protocol === 'udp' && !legacy && answer === 'silence') return { verdict: 'open', ...by }
  if (protocol === 'udp') return { verdict: 'unclear', by: 'iptables-legacy decides too, and leaves no trace' }
  return { verdict: 'dropped', by: 'something that nftables does not trace, such as iptables-legacy' }
}
