/** What becomes of the ports when all of ghostport’s changes are taken back. Pure judgement. */
import { afterRemoval } from '../../firewall/host/after-removal.ts'
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import type { HostRuleset } from '../../firewall/host/findings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts, parseProtocolPort } from '../../packet/protocol-port.ts'
import { REMOVE_TABLE } from '../policy/render.ts'
import type { Change } from '../way-back/inverse.ts'

export interface PortAfter {
  readonly state: 'open' | 'shut' | 'unclear'
  /** `tcp/22 is open to everybody`. Printable. */
  readonly text: string
  /** What would let it in. */
  readonly cure?: string
}

export interface AfterUninstall {
  readonly ports: readonly PortAfter[]
  /** Whether nobody would get in by ssh any more, or whether that is not clear. */
  readonly locksOut: boolean
}

/**
 * @param changes of the journal.
 * @param question the rules as they are now, with our table in them.
 */
export function judgeAfterUninstall(
  changes: readonly Change[],
  rules: HostRuleset,
  question: Parameters<typeof afterRemoval>[1] & { readonly ssh: readonly ProtocolPort[] },
): AfterUninstall {
  const left = removesPolicy(changes) ? withoutPolicy(rules) : rules
  const removed = changes.flatMap(({ inverse }) => (inverse.kind === 'run' ? removedRule(inverse.argv) : []))
  const isRemoved = ({ protocol, port }: ProtocolPort): boolean =>
    removed.some(({ port: other }) => other.protocol === protocol && other.port === port)
  const judge = (one: ProtocolPort): readonly PortAfter[] => {
    const rule = removed.find(({ port }) => port.protocol === one.protocol && port.port === one.port)
    if (!isRemoved(one) || rule === undefined) return afterRemoval(left, { ...question, ports: [one] })
    const name = formatProtocolPorts([one])
    const cure =
      rule.by === 'ufw'
        ? `ufw allow ${one.port}/${one.protocol}`
        : `firewall-cmd --permanent --add-port=${one.port}/${one.protocol}`
    const text = `${name} is shut to everybody: ${rule.by} lets it in only since “ghostport init”, and that is taken back`
    return [{ state: 'shut', text, cure }]
  }
  const { ssh } = question
  return {
    ports: question.ports.flatMap(judge),
    locksOut: ssh.length > 0 && ssh.every((one) => judge(one).some(({ state }) => state !== 'open')),
  }
}

/** Whether the policy of this host came with one of these changes, and goes with it. */
function removesPolicy(changes: readonly Change[]): boolean {
  return changes.some(({ inverse }) => inverse.kind === 'run' && inverse.argv.some((each) => each === REMOVE_TABLE))
}

/** The rules as they are for a host without a policy of ours. */
export function withoutPolicy({ tables, unread }: HostRuleset): HostRuleset {
  return { tables: tables.filter(({ family, name }) => family !== 'inet' || name !== POLICY_TABLE), unread }
}

/** The rule of another manager that an inverse removes: `ufw delete allow 22/tcp`. */
function removedRule(argv: readonly string[]): readonly { readonly by: string; readonly port: ProtocolPort }[] {
  const text = argv.join(' ')
  const [, ufw, firewalld] =
    /^ufw delete allow (\d+\/(?:tcp|udp))$/.exec(text) ??
    /()firewall-cmd --permanent --remove-port=(\d+\/(?:tcp|udp))/.exec(text) ??
    []
  const [number = '', protocol = ''] = (ufw || firewalld || '').split('/')
  const port = parseProtocolPort(`${protocol}/${number}`)
  return port.ok ? [{ by: ufw ? 'ufw' : 'firewalld', port: port.value }] : []
}
