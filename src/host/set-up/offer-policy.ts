/**
 * Whether `ghostport init` can put the policy of `ghostport policy` in force too, and what the host loses by it. Pure
 * judgement. What is not known counts as a no.
 */
import type { ConnectionMark, TableName } from '../../config/server/firewall-settings.ts'
import type { HostTable } from '../../firewall/host/ruleset.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Port } from '../../units.ts'
import { isForOthers, type Listening } from '../facts/listening.ts'
import type { FirewallManagers } from '../facts/managers.ts'
import type { Session } from '../facts/session.ts'
import type { Known } from '../known.ts'
import { judgeOthers } from '../policy/judge-host.ts'
import { distinctPorts, type HostPolicy } from '../policy/policy.ts'
import type { Fitting } from '../policy/surroundings.ts'

/** A port that is open now, and that the policy would shut. */
export interface ShutPort extends ProtocolPort {
  /** `nginx`; empty if it is not known. */
  readonly by: string
}

export type PolicyOffer =
  /** It is part of the plan. */
  | {
      readonly kind: 'planned'
      readonly policy: HostPolicy
      readonly shuts: readonly ShutPort[]
      readonly notes: readonly string[]
    }
  /** It is possible, and nobody has said yes or no. */
  | { readonly kind: 'offered'; readonly shuts: readonly ShutPort[] }
  /** It was said that there is to be none. */
  | { readonly kind: 'declined' }
  /** This host has it already, and it stays as it is. */
  | { readonly kind: 'there' }
  /** Somebody else shuts the other ports, or could. `instead`: what to do there, one command or sentence a line. */
  | { readonly kind: 'other'; readonly because: string; readonly instead: readonly string[] }

export interface PolicyQuestion {
  /** Undefined: nobody has said. */
  readonly wished: boolean | undefined
  /** Let in without a knock. */
  readonly allow: readonly ProtocolPort[]
  readonly hide: readonly ProtocolPort[]
  readonly mark: ConnectionMark
  /** Our own table. */
  readonly table: TableName
  /** Where sockets of ours wait for knocks. */
  readonly listened: readonly ProtocolPort[]
  readonly managers: Known<FirewallManagers>
  readonly tables: readonly HostTable[]
  readonly listening: Known<readonly Listening[]>
  readonly session: Known<Session>
  readonly sshPorts: Known<readonly Port[]>
  readonly fits: Fitting
  /** Whether this host has such a policy. */
  readonly there: boolean
}

/**
 * @returns POLICY_CONFLICT: it was asked for, and another policy is there. POLICY_LOCKS_OUT: it would shut a port of
 * ssh that no knock opens. VALUE_INVALID: a port is to be both hidden and open.
 */
export function offerPolicy(
  question: PolicyQuestion,
): Result<PolicyOffer, Failure<'POLICY_CONFLICT' | 'POLICY_LOCKS_OUT' | 'VALUE_INVALID'>> {
  const { wished, allow, hide, mark, table, managers, tables, fits, listened } = question
  const both = allow.filter((one) => has(hide, one))
  if (both.length > 0)
    return refuse(
      'VALUE_INVALID',
      `--allow: ${formatProtocolPorts(both)} is to be hidden, so it cannot be open to everybody`,
    )
  if (wished === false) return ok({ kind: 'declined' })
  if (question.there) return ok({ kind: 'there' })
  const other = judgeOthers(managers, tables, { mark, allow, own: table, hidden: hide })
  if (other !== undefined) {
    const { failure, instead } = other
    if (wished !== true) return ok({ kind: 'other', because: failure.detail, instead })
    const commands = instead.filter((line) => !line.startsWith('#'))
    return refuse(
      'POLICY_CONFLICT',
      `--policy: ${failure.detail}`,
      commands.length === 0 ? {} : { suggestion: commands.join('; ') },
    )
  }
  const shuts = whatShuts(question)
  if (wished === undefined) return ok({ kind: 'offered', shuts })
  const safe = judgeLogins(question)
  if (!safe.ok) return safe
  const { forward, reversePath, forwardNote, reversePathNote } = fits
  const policy: HostPolicy = {
    ...{ mark, allow: distinctPorts([...allow, ...listened]), allowFrom: [], trusted: [], ping: true },
    ...{ reversePath, forward },
  }
  return ok({
    kind: 'planned',
    policy,
    shuts,
    notes: [forwardNote, reversePathNote].filter((one) => one !== undefined),
  })
}

/** Each way in by ssh must be hidden, so that a knock opens it, or be open to all. */
function judgeLogins({ allow, hide, session, sshPorts }: PolicyQuestion): Result<void, Failure<'POLICY_LOCKS_OUT'>> {
  const own = session.known && session.value.kind === 'ssh' ? [session.value.connection.localPort] : []
  const ports = [...new Set([...(sshPorts.known ? sshPorts.value : []), ...own])]
  const lost = ports
    .map((port): ProtocolPort => ({ protocol: 'tcp', port }))
    .filter((one) => !has(hide, one) && !has(allow, one))
  if (lost.length === 0) return ok(undefined)
  const named = lost.map(({ port }) => `tcp/${port}`).join(',')
  return refuse(
    'POLICY_LOCKS_OUT',
    `--policy: ssh uses ${named}, which the policy would shut, and no knock would open it: it is not among the hidden ports. Hide it, or let everybody in there`,
    { suggestion: `--hide ${[...hide, ...lost].map((one) => formatProtocolPorts([one])).join(',')}` },
  )
}

/** A DHCP client: the policy lets its answers in. */
const ANSWERED = [68, 546]

function whatShuts({ listening, allow, hide, listened }: PolicyQuestion): readonly ShutPort[] {
  const open = [...allow, ...hide, ...listened]
  const found = new Map<string, ShutPort>()
  for (const { protocol, port, address, programs } of listening.known ? listening.value : []) {
    if (!isForOthers({ address }) || has(open, { protocol, port })) continue
    if (protocol === 'udp' && ANSWERED.includes(port)) continue
    const by = programs.known ? [...new Set(programs.value.map(({ name }) => name))].join(', ') : ''
    const key = `${protocol}/${port}`
    if (!found.get(key)?.by) found.set(key, { protocol, port, by })
  }
  return [...found.values()].sort((a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port)
}

function has(ports: readonly ProtocolPort[], { protocol, port }: ProtocolPort): boolean {
  return ports.some((one) => one.protocol === protocol && one.port === port)
}

/** `tcp/80 (nginx)`. */
export function describeShutPorts(shuts: readonly ShutPort[]): string {
  return shuts.map(({ protocol, port, by }) => `${protocol}/${port}${by === '' ? '' : ` (${by})`}`).join(', ')
}
