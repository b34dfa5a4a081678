/**
 * The exact line that cures a finding, for the program that manages the chain: nft, iptables, iptables-legacy, ufw or
 * firewalld.
 */

import type { ConnectionMark, TableName } from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { hostRules } from './host-rules.ts'
import type { HostTable } from './ruleset.ts'
import type { ChainOutcome } from './walk.ts'

/** The table of the policy that `ghostport policy` writes: its rules are changed by that command. */
export const POLICY_TABLE = 'ghostport_policy' as TableName

const NEIGHBOUR_DISCOVERY = 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept'

export function cureMark(outcome: ChainOutcome, tables: readonly HostTable[], mark: ConnectionMark): string {
  const { chain } = outcome
  if (chain.table === POLICY_TABLE)
    return 'run “ghostport policy install” again, with the options in the fourth line of /etc/ghostport/policy.nft'
  if (keptByUfw(outcome, tables)) {
    const file = chain.family === 'ip6' ? '/etc/ufw/before6.rules' : '/etc/ufw/before.rules'
    const rule = hostRules({ kind: 'ufw' }, mark).find((one) => one.file === file)
    const line = rule?.lines.find((one) => one.includes(`-before-${chain.base?.hook} `)) ?? ''
    // Ahead of the first rule: that of loopback.
    const first = `^-A ${chain.family === 'ip6' ? 'ufw6' : 'ufw'}-before-input -i lo -j ACCEPT`
    return `sed -i '/${first}/i ${line}' ${file} && ufw reload`
  }
  if (chain.table === 'firewalld')
    return 'let the port in there (firewall-cmd --permanent --add-port), and use FIREWALL_MODE gate: firewalld forgets the rules of others at each reload'
  const program = xtables(outcome)
  if (program !== undefined) {
    const bits = `0x${mark.toString(16)}`
    return `${program} -I ${chain.name} 1 -m connmark --mark ${bits}/${bits} -j ACCEPT`
  }
  const at = { family: chain.family as 'inet' | 'ip' | 'ip6', table: chain.table, chain: chain.name }
  return hostRules({ kind: 'nft', chains: [at] }, mark)
    .flatMap(({ lines }) => lines)
    .join('; ')
}

export function cureNeighbours(outcome: ChainOutcome, tables: readonly HostTable[]): string {
  if (keptByUfw(outcome, tables)) return 'put the neighbour discovery rules of ufw back into /etc/ufw/before6.rules'
  return accepting(outcome, '-p ipv6-icmp', NEIGHBOUR_DISCOVERY)
}

export function cureAccepting(outcome: ChainOutcome, asked: ProtocolPort): string {
  const { protocol, port } = asked
  if (outcome.chain.table === POLICY_TABLE)
    return `run “ghostport policy install” again, with “--allow ${protocol}/${port}” and the options in the fourth line of /etc/ghostport/policy.nft`
  return accepting(outcome, `-p ${protocol} --dport ${port}`, `${protocol} dport ${port} accept`)
}

/** Lets in a port that grants were for, when ghostport leaves the host. */
export function lettingIn(outcome: ChainOutcome, tables: readonly HostTable[], asked: ProtocolPort): string {
  if (keptByUfw(outcome, tables)) return `ufw allow ${asked.port}/${asked.protocol}`
  if (outcome.chain.table === 'firewalld') return `firewall-cmd --add-port=${asked.port}/${asked.protocol}`
  return cureAccepting(outcome, asked)
}

function accepting(outcome: ChainOutcome, iptables: string, nft: string): string {
  const { family, table, name } = outcome.chain
  const program = xtables(outcome)
  return program === undefined
    ? `nft insert rule ${family} ${table} ${name} ${nft}`
    : `${program} -I ${name} 1 ${iptables} -j ACCEPT`
}

/** If iptables manages the table, it must also write the rules. */
function xtables({ chain, by }: ChainOutcome): string | undefined {
  const program = chain.family === 'ip6' ? 'ip6tables' : 'iptables'
  if (by === 'iptables-legacy') return `${program}-legacy -t ${chain.table}`
  if (chain.family !== 'ip' && chain.family !== 'ip6') return undefined
  if (!/^[A-Z]+$/.test(chain.name)) return undefined
  return chain.table === 'filter' ? program : `${program} -t ${chain.table}`
}

function keptByUfw({ chain, by }: ChainOutcome, tables: readonly HostTable[]): boolean {
  const prefix = chain.family === 'ip6' ? 'ufw6' : 'ufw'
  return tables.some(
    (table) =>
      table.by === by &&
      table.family === chain.family &&
      table.name === chain.table &&
      table.chains.has(`${prefix}-before-input`),
  )
}
