/**
 * Whether this host may have a policy of ours, and whether its administrator gets in again once it has one. Pure
 * judgement over facts. What is not known counts as a no.
 */
import { cureMark, POLICY_TABLE } from '../../firewall/host/cures.ts'
import { dropsAll, nameOf } from '../../firewall/host/findings.ts'
import { hostRules } from '../../firewall/host/host-rules.ts'
import type { HostTable } from '../../firewall/host/ruleset.ts'
import { walk } from '../../firewall/host/walk.ts'
import { formatHostPort, networkContains } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Port } from '../../units.ts'
import { type Connection, keyOf } from '../facts/connection-mark.ts'
import type { Interface } from '../facts/interfaces.ts'
import type { FirewallManagers, ManagerName } from '../facts/managers.ts'
import type { Session } from '../facts/session.ts'
import type { Known } from '../known.ts'
import type { HostPolicy } from './policy.ts'

/** Another policy is there. With what to do instead, one command or sentence a line. */
export interface OtherPolicy {
  readonly failure: Failure<'POLICY_CONFLICT'>
  readonly instead: readonly string[]
}

/** What the policy would be for. */
export interface Sought extends Pick<HostPolicy, 'mark' | 'allow'> {
  /** Ghostport’s table, which is no policy. */
  readonly own: string
  /** What that table shuts. Absent: it may shut nothing. */
  readonly hidden?: readonly ProtocolPort[]
}

/** @param tables all rules of this host. */
export function judgeOthers(
  managers: Known<FirewallManagers>,
  tables: readonly HostTable[],
  sought: Sought,
): OtherPolicy | undefined {
  const { mark, own } = sought
  if (!managers.known) return other(`who manages the firewall of this host is not known: ${managers.because}`, [])
  const { managers: found, ufwEnabled } = managers.value
  const has = (name: ManagerName): boolean => found.some((each) => each.name === name)
  const evidence = (name: ManagerName): string => found.find((each) => each.name === name)?.evidence[0] ?? 'ufw.conf'
  if (has('ufw') || ufwEnabled === true)
    return other(`ufw manages the firewall of this host (${evidence('ufw')})`, ufwCommands(sought))
  if (has('firewalld'))
    return other(`firewalld manages the firewall of this host (${evidence('firewalld')})`, firewalldCommands(sought))
  const others = tables.filter(({ family, name }) => family !== 'inet' || (name !== POLICY_TABLE && name !== own))
  for (const family of ['ip', 'ip6'] as const) {
    const probe = { family, protocol: 'tcp', state: 'new', mark: 0, from: 'stranger' } as const
    const dropping = walk(others, ['ingress', 'prerouting', 'input'], probe).find(dropsAll)
    if (dropping !== undefined)
      return other(`${nameOf(dropping)} drops by default already, and two policies are one too many`, [
        '# that policy only needs to let in what ghostport opened:',
        cureMark(dropping, others, mark),
      ])
  }
  return undefined
}

function other(detail: string, instead: readonly string[]): OtherPolicy {
  return { failure: refuse('POLICY_CONFLICT', detail).failure, instead }
}

/** Where our table shuts the ports, ufw lets them in; else it has to know our mark. */
function ufwCommands({ mark, allow, hidden }: Sought): readonly string[] {
  const markRules = hostRules({ kind: 'ufw' }, mark).flatMap(({ file = '', note = '', lines }) => [
    `# put into ${file}, ${note}:`,
    ...lines,
  ])
  return [
    ...(hidden === undefined ? markRules : ['# ghostport’s table is before ufw, and shuts the hidden ports:']),
    ...[...(hidden ?? []), ...allow].map(({ protocol, port }) => `ufw allow ${port}/${protocol}`),
    'ufw default deny incoming',
    'ufw reload',
  ]
}

function firewalldCommands({ allow, hidden }: Sought): readonly string[] {
  const settings = ['# in fwknopd.conf:', 'FIREWALL_MODE gate;', 'PROTECTED_PORTS tcp/22;']
  return [
    hidden === undefined
      ? '# its zones drop by default, and it forgets rules of others. So let the port of ssh in there, and let ghostport shut it:'
      : '# its zones drop by default. ghostport’s table is before them, and shuts the hidden ports:',
    ...[...(hidden ?? [{ protocol: 'tcp', port: 22 }]), ...allow].map(
      ({ protocol, port }) => `firewall-cmd --permanent --add-port=${port}/${protocol}`,
    ),
    'firewall-cmd --reload',
    ...(hidden === undefined ? settings : []),
  ]
}

/** Facts about how the administrator comes in. */
export interface WaysIn {
  readonly session: Known<Session>
  readonly sshPorts: Known<readonly Port[]>
  readonly interfaces: Known<readonly Interface[]>
  /** The administrator says that there is another way in. */
  readonly console: boolean
}

/** Why the administrator gets in again. */
export type WayIn =
  | 'console'
  /** A rule of the policy lets in the port of this session. */
  | 'rule'
  /** A knock opened this session. */
  | 'knock'

/** @returns POLICY_LOCKS_OUT, with what to add, if nothing lets the administrator in again. */
export function judgeWayIn(policy: HostPolicy, ways: WaysIn): Result<WayIn, Failure<'POLICY_LOCKS_OUT'>> {
  const { session, sshPorts, interfaces, console } = ways
  if (console) return ok('console')
  const allows = (port: Port): boolean => policy.allow.some((each) => each.protocol === 'tcp' && each.port === port)
  if (session.known && session.value.kind === 'ssh') {
    const { connection, mark } = session.value
    const { peer, localPort, local } = connection
    if (allows(localPort)) return ok('rule')
    const named = policy.allowFrom.some(
      ({ network, ports }) =>
        networkContains(network, peer) &&
        (ports.length === 0 || ports.some(({ protocol, port }) => protocol === 'tcp' && port === localPort)),
    )
    if (named) return ok('rule')
    const by = interfaces.known
      ? interfaces.value.find(({ addresses }) => addresses.some(({ address }) => address === local))
      : undefined
    if (by !== undefined && policy.trusted.some((name) => name === by.name)) return ok('rule')
    if (mark.known && mark.value !== undefined && (mark.value & policy.mark) !== 0) return ok('knock')
    const unproven = mark.known ? 'no knock opened it' : `whether a knock opened it is not known: ${mark.because}`
    return refuse(
      'POLICY_LOCKS_OUT',
      `your session comes from ${formatHostPort(peer, connection.peerPort)} to port ${localPort}, ${unproven}, and no rule of the policy lets it in again. Log in by a knock, and run this command there; or add a rule`,
      { suggestion: `--allow-from ${peer},tcp/${localPort}` },
    )
  }
  const ports = sshPorts.known ? sshPorts.value : []
  if (ports.length > 0 && ports.every(allows)) return ok('rule')
  const why = session.known
    ? 'this command does not run in an ssh session'
    : `your session is not known: ${session.because}`
  const how = ports.map((port) => `tcp/${port}`).join(',')
  return refuse(
    'POLICY_LOCKS_OUT',
    `${why}, so nobody can tell whether you get in again. Run it in a plain ssh session; or add a rule for ssh; or say that you have a console, with --i-have-a-console`,
    how === '' ? {} : { suggestion: `--allow ${how}` },
  )
}

/** @returns NOT_CONFIRMED if the session does not prove that one gets in. @param before connections that are older. */
export function judgeConfirmation(
  session: Known<Session>,
  { before, console }: { readonly before: readonly Connection[]; readonly console: boolean },
): Result<void, Failure<'NOT_CONFIRMED'>> {
  if (console) return ok(undefined)
  const cure = 'Log in again, in a second terminal, and run it there'
  if (!session.known) return refuse('NOT_CONFIRMED', `your session is not known: ${session.because}. ${cure}`)
  if (session.value.kind === 'local')
    return refuse(
      'NOT_CONFIRMED',
      `this command does not run in an ssh session. ${cure}; or, at a console, add --i-have-a-console`,
    )
  const own = keyOf(session.value.connection)
  return before.some((each) => keyOf(each) === own)
    ? refuse('NOT_CONFIRMED', `your session is older than the policy, so it proves nothing. ${cure}`)
    : ok(undefined)
}
