/**
 * What the host's own rules do with a port once ghostport's table is removed, for an administrator who removes
 * ghostport.
 */

import type { TableName } from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { lettingIn } from './cures.ts'
import { dropsAll, type HostRuleset, nameOf } from './findings.ts'
import type { HostTable } from './ruleset.ts'
import { walk } from './walk.ts'

/** The state of a port afterwards, for IPv4 or IPv6. */
export interface LeftPort {
  readonly state: /** To everybody, by any rule or policy. */
    | 'open'
    /** Shut to everybody. */
    | 'shut'
    /** Shut to all but the sources that `rule` lets in, or not judged. */
    | 'unclear'
  readonly text: string
  readonly cure?: string
}

export type LeftState = LeftPort['state']

/** @param tables without ours. @returns what the rules do with a port, for one family. */
export function leftState(tables: readonly HostTable[], asked: ProtocolPort, family: 'ip' | 'ip6'): LeftState {
  return judge(tables, asked, family).state
}

/** @returns what happens to each port. If IPv4 and IPv6 agree, it is said once. */
export function afterRemoval(
  { tables: all }: HostRuleset,
  {
    table,
    ipv6,
    ports,
  }: {
    /** Ours, which is not judged. */ readonly table?: TableName
    readonly ipv6: boolean
    readonly ports: readonly ProtocolPort[]
  },
): readonly LeftPort[] {
  const tables = all.filter(({ family, name }) => family !== 'inet' || name !== table)
  return ports.flatMap((asked) => {
    const four = judge(tables, asked, 'ip')
    if (!ipv6) return [four]
    const six = judge(tables, asked, 'ip6')
    if (four.text === six.text) return [four]
    return [
      { ...four, text: `IPv4: ${four.text}` },
      { ...six, text: `IPv6: ${six.text}` },
    ]
  })
}

function judge(tables: readonly HostTable[], asked: ProtocolPort, family: 'ip' | 'ip6'): LeftPort {
  const { protocol, port } = asked
  const name = formatProtocolPorts([asked])
  const probe = { family, protocol, destinationPort: port, state: 'new', mark: 0, from: 'somebody' } as const
  const outcomes = walk(tables, ['ingress', 'prerouting', 'input'], probe)
  const dropping = outcomes.find(dropsAll)
  if (dropping !== undefined) {
    const cure = lettingIn(dropping, tables, asked)
    const [accepting] = outcomes.flatMap(({ mayAccept }) => mayAccept)
    return accepting === undefined
      ? { state: 'shut', text: `${name} is shut to everybody: ${nameOf(dropping)} drops it`, cure }
      : { state: 'unclear', text: `${name} is shut to everybody, unless “${accepting}” lets somebody in`, cure }
  }
  const [unsure] = outcomes.flatMap(({ mayDrop }) => mayDrop)
  if (unsure !== undefined) return { state: 'unclear', text: `${name} is open, unless “${unsure}” drops it` }
  return { state: 'open', text: `${name} is open to everybody` }
}
