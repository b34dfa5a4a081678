/**
 * The gate without any grant, in one command for `nft`. It closes the protected ports from before the network is up
 * until the server has started. The server replaces it with its whole table in one transaction (ruleset.ts).
 *
 * It has no `flags owner, persist`: the kernel takes `owner` away when nft ends, and `persist` alone protects nothing.
 */

import type { TableName } from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { PROTOCOL_NUMBERS } from '../../packet/protocol-port.ts'

/** @returns statements for `nft`, one per line; together they are one transaction. Only braces need quoting. */
export function closedGate(table: TableName, ports: readonly ProtocolPort[]): readonly string[] {
  // Early in a boot, /etc/protocols may be missing.
  const elements = ports.map(({ protocol, port }) => `${PROTOCOL_NUMBERS[protocol]} . ${port}`)
  return [
    `add table inet ${table};`,
    `delete table inet ${table};`,
    `table inet ${table} {`,
    `set protected { type inet_proto . inet_service; elements = { ${elements.join(', ')} }; };`,
    'chain gate {',
    'type filter hook prerouting priority -150; policy accept;',
    'ct state established,related accept;',
    'iif lo accept;',
    'fib daddr type unicast accept;',
    'meta l4proto . th dport @protected counter drop;',
    '}; }',
  ]
}
