/**
 * How ghostport and the firewall of this host are to work together: chosen from what the host's rules do, and not from
 * the names or versions of programs. Pure judgement.
 */
import type { ConnectionMark, TableName } from '../../config/server/firewall-settings.ts'
import { type Finding, findings, type HostRuleset } from '../../firewall/host/findings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { FirewallManagers } from '../facts/managers.ts'

/** The host's own firewall must let these ports in, by a command of its own, after the gate is shut. */
export interface LetIn {
  readonly by: 'ufw' | 'firewalld'
  readonly ports: readonly ProtocolPort[]
}

export type Way =
  /** Our table shuts the ports. The host's own firewall stays as it is, unless it has to let them in. */
  | { readonly kind: 'gate'; readonly letIn?: LetIn }
  /** The host shuts the ports already, and accepts what carries our mark. */
  | { readonly kind: 'mark' }

export interface ChosenWay {
  readonly way: Way
  /** One sentence for the administrator. */
  readonly because: string
  /** What else the host's rules do to these ports. */
  readonly findings: readonly Finding[]
}

export interface HostToJoin {
  readonly rules: HostRuleset
  readonly managers: FirewallManagers
  /** Whether a link of this host has an IPv6 address. */
  readonly ipv6: boolean
  readonly table: TableName
  readonly mark: ConnectionMark
  /** What is to be hidden. */
  readonly ports: readonly ProtocolPort[]
}

/** @returns SETUP_REFUSED if the host's rules have to be changed first, with the rule that is missing. */
export function chooseWay(host: HostToJoin): Result<ChosenWay, Failure<'SETUP_REFUSED'>> {
  const { rules, managers, ipv6, table, mark, ports } = host
  const question = { table, mark, ipv6, ports, forwarding: false }
  const asMark = findings(rules, question)
  const asGate = findings(rules, { ...question, protectedPorts: ports })
  const named = formatProtocolPorts(ports)
  const isAre = ports.length === 1 ? 'is' : 'are'
  if (!has(asMark, 'HOST_DROPS_MARK', 'HOST_OPEN_PORT', 'HOST_NOT_JUDGED')) {
    const because = `the host’s own firewall shuts ${named} and accepts ghostport’s mark, so its rules stay as they are`
    return ok({ way: { kind: 'mark' }, because, findings: asMark })
  }
  const dropping = asGate.filter(({ code }) => code === 'HOST_DROPS_PORT')
  if (dropping.length === 0) {
    const because = `ghostport’s own table shuts ${named}, and the host’s own firewall stays as it is`
    return ok({ way: { kind: 'gate' }, because, findings: asGate })
  }
  const shut = ports.filter(({ protocol, port }) =>
    dropping.some(
      ({ shuts = [] }) => shuts === 'all' || shuts.some((one) => one.protocol === protocol && one.port === port),
    ),
  )
  const keepers = (['ufw', 'firewalld'] as const).filter((name) => managers.managers.some((one) => one.name === name))
  const [by, second] = keepers
  if (by !== undefined && second === undefined) {
    const because = `ghostport’s own table shuts ${named}; then ${by} lets ${formatProtocolPorts(shut)} in, which it drops now also for those who knocked`
    const rest = asGate.filter(({ code }) => code !== 'HOST_DROPS_PORT')
    return ok({ way: { kind: 'gate', letIn: { by, ports: shut } }, because, findings: rest })
  }
  const needed = asMark.filter(({ code }) => code === 'HOST_DROPS_MARK')
  const cures = [...new Set((needed.length > 0 ? needed : dropping).flatMap(({ cure }) => cure ?? []))]
  const why =
    second === undefined
      ? `${named} ${isAre} shut by the host’s own rules, which would drop also those who knocked (${dropping[0]?.text}). Add this rule, also to the file that your rules are loaded from, and run “ghostport init” again`
      : `${named} ${isAre} shut, and both ufw and firewalld manage the rules of this host. Switch one of them off, and run “ghostport init” again`
  return refuse('SETUP_REFUSED', why, second === undefined && cures.length > 0 ? { suggestion: cures.join('; ') } : {})
}

function has(found: readonly Finding[], ...codes: readonly Finding['code'][]): boolean {
  return found.some(({ code }) => codes.includes(code))
}
