/**
 * Our table, as text for nftables. It is written once and never changes: what is open are elements of its sets and maps,
 * each with a timeout that the kernel keeps (docs/OPERATING.md § Living with the host's own firewall).
 */
import { MAX_CONNECTIONS } from './connections.ts'
import type { TableShape } from './settings.ts'

/** Records of one grant may take several elements, since a comment holds 127 bytes. */
const LEDGER_ELEMENTS_PER_GRANT = 8

/** @returns commands that leave exactly this table, empty, whatever was there: one transaction, with no moment between. */
export function renderTable(shape: TableShape): string {
  const { table, maxGrants } = shape
  const sized = (type: string, size = maxGrants): string => `{ type ${type}; flags timeout; size ${size}; }`
  const way = (ip: string): string => `${ip} . inet_proto . inet_service`
  const post = (ip: string): string => `${ip} . inet_proto . ${ip} . inet_service`
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  # who may reach which public port
  set accept4 ${sized(way('ipv4_addr'))}
  set accept6 ${sized(way('ipv6_addr'))}
  # ghost services and inner hosts: where that public port leads; the port is in accept4 or accept6 too
  map redir4 ${sized(`${way('ipv4_addr')} : inet_service`)}
  map redir6 ${sized(`${way('ipv6_addr')} : inet_service`)}
  map dnat4 ${sized(`${way('ipv4_addr')} : ipv4_addr . inet_service`)}
  map dnat6 ${sized(`${way('ipv6_addr')} : ipv6_addr . inet_service`)}
  # public ports that lead to another host, and that must not end up on this one
  set fwd4 ${sized(way('ipv4_addr'), 2 * maxGrants)}
  set fwd6 ${sized(way('ipv6_addr'), 2 * maxGrants)}
  # what the inner host sees as the source
  set masq4 ${sized(post('ipv4_addr'))}
  set masq6 ${sized(post('ipv6_addr'))}
  map snat4 ${sized(`${post('ipv4_addr')} : ipv4_addr`)}
  map snat6 ${sized(`${post('ipv6_addr')} : ipv6_addr`)}
  # which grant opened what, for a ghostport that starts anew; no packet is ever looked up here
  set ledger ${sized('mark . mark', 2 * LEDGER_ELEMENTS_PER_GRANT * maxGrants)}
${renderProtected(shape)}
  # After conntrack (-200) and before any address translation (-100): sees the public port.
  chain gate {
    type filter hook prerouting priority -150; policy accept;
    ct state established,related accept
    iif lo accept
    fib daddr type unicast accept
${renderGate(shape)}
  }
  chain nat_pre {
    type nat hook prerouting priority -105; policy accept;
    # What is only on its way through knows nothing of our public ports. A grant may be for an address whose owner did not ask.
    fib daddr type != local accept
    dnat ip to ip saddr . meta l4proto . th dport map @dnat4
    dnat ip6 to ip6 saddr . meta l4proto . th dport map @dnat6
    meta l4proto { tcp, udp } redirect to :ip saddr . meta l4proto . th dport map @redir4
    meta l4proto { tcp, udp } redirect to :ip6 saddr . meta l4proto . th dport map @redir6
  }
  # A way to an inner host whose address is our own would be one to every port of ours, past all that keeps them closed.
  # Which addresses are ours changes by the minute: what counts is that the packet is delivered here.
  chain forwarded {
${renderForwarded()}
  }
  chain delivered {
    type filter hook input priority -10; policy accept;
    ct state != new accept
    ct status dnat jump forwarded
  }
  chain nat_post {
    type nat hook postrouting priority 95; policy accept;
    ct status dnat ip saddr . meta l4proto . ip daddr . th dport @masq4 masquerade
    ct status dnat ip6 saddr . meta l4proto . ip6 daddr . th dport @masq6 masquerade
    ct status dnat snat ip to ip saddr . meta l4proto . ip daddr . th dport map @snat4
    ct status dnat snat ip6 to ip6 saddr . meta l4proto . ip6 daddr . th dport map @snat6
  }
}
`
}

/** nftables knows what a port of conntrack's is only after it has been told the protocol. */
function renderForwarded(): string {
  const rule = (protocol: string, [ip, set]: readonly [string, string]): string =>
    `    meta l4proto ${protocol} ${ip} saddr . meta l4proto . ct original proto-dst @${set} counter drop`
  const families = [
    ['ip', 'fwd4'],
    ['ip6', 'fwd6'],
  ] as const
  return ['tcp', 'udp'].flatMap((protocol) => families.map((family) => rule(protocol, family))).join('\n')
}

function renderProtected({ mode }: TableShape): string {
  if (mode.kind === 'mark') return ''
  const ports = mode.protectedPorts.map(({ protocol, port }) => `${protocol} . ${port}`)
  const known = (ip: string): string =>
    `{ type ${ip} . inet_service . inet_service; flags timeout; size ${MAX_CONNECTIONS}; }`
  return `  set protected { type inet_proto . inet_service; elements = { ${ports.join(', ')} }; }
  # TCP connections older than the gate, which conntrack may take for new ones
  set known4 ${known('ipv4_addr')}
  set known6 ${known('ipv6_addr')}
`
}

function renderGate({ mode, mark }: TableShape): string {
  const set = `ct mark set ct mark or 0x${mark.toString(16)} accept`
  const accept = `    ip saddr . meta l4proto . th dport @accept4 ${set}
    ip6 saddr . meta l4proto . th dport @accept6 ${set}`
  if (mode.kind === 'mark') return accept
  return `${accept}
    tcp flags & (syn | ack) == ack ip saddr . tcp sport . tcp dport @known4 accept
    tcp flags & (syn | ack) == ack ip6 saddr . tcp sport . tcp dport @known6 accept
    meta l4proto . th dport @protected counter drop`
}
