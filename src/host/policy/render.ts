/**
 * The policy as a file for `nft -f`: one transaction that replaces one table of its own, and touches no other.
 * A live load also names the TCP connections of that moment ({@link renderSessions}).
 *
 * The order of the rules is the meaning: what is established lives on before anything is judged; neighbour discovery
 * comes before the check of sources, since it uses addresses that no route leads to.
 */
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import { type Connection, connectionElements, MAX_CONNECTIONS } from '../../firewall/nftables/connections.ts'
import { familyOf } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { type AllowedSource, formatNetwork, type HostPolicy, policyWords } from './policy.ts'

/** Begins each line that the policy logs. Other words follow for sources that are forged, and for invalid packets. */
export const LOG_PREFIX = 'DROP '
/** Lines that each logging rule writes at most. */
const LOG_LIMIT = 'limit rate 60/minute burst 30 packets'
const PING_LIMIT = 'limit rate over 10/second burst 20 packets'
/** Sessions from before the policy: for how long conntrack may have to learn of them. */
const SESSION_TIME = '3h'
/** After conntrack (-200), and before ghostport’s gate (-150): a forged source opens nothing there. */
const BEFORE_THE_GATE = -160

const NEIGHBOURS =
  'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect }'
const MULTICAST_LISTENERS =
  'icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }'
const ECHOES = ['icmp type echo-request', 'icmpv6 type echo-request']
/** Sources that no packet from another host can have (RFC 6890, RFC 4291). */
const IMPOSSIBLE = [
  'ip saddr { 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3 }',
  'ip6 saddr { ::, ::1, ::ffff:0:0/96, ff00::/8 }',
]

/** Removes the table, and does not fail if there is none: every version of nft reads it. */
export const REMOVE_TABLE = `add table inet ${POLICY_TABLE}; delete table inet ${POLICY_TABLE}`

/** The line of a rendered file from which the policy can be read again. */
const MADE_BY = '# ghostport policy install '

/** @returns the whole file. */
export function renderPolicy(policy: HostPolicy): string {
  const chains = [
    ['spoofed', dropped('SPOOFED ')],
    ['invalid', dropped('INVALID ')],
    ['arriving', arriving(policy)],
    ['input', input(policy)],
    ...(policy.forward === 'drop' ? [['forward', forward(policy)] as const] : []),
    ...(policy.out === undefined ? [] : [['output', output(policy, policy.out)] as const]),
  ] as const
  return `#!/usr/sbin/nft -f
# The policy of this host, written by “ghostport policy” (docs/POLICY.md). To change it, run that again: the next
# “install” writes this file anew. “ghostport policy remove” removes it.
${MADE_BY}${policyWords(policy).join(' ')}
add table inet ${POLICY_TABLE}
delete table inet ${POLICY_TABLE}
table inet ${POLICY_TABLE} {
  # TCP sessions from before the policy, if conntrack does not know them: peer, its port, our port.
  set known4 { type ipv4_addr . inet_service . inet_service; flags timeout; size ${MAX_CONNECTIONS}; }
  set known6 { type ipv6_addr . inet_service . inet_service; flags timeout; size ${MAX_CONNECTIONS}; }
${chains.map(([name, rules]) => `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`).join('')}}
`
}

/** @returns commands that let TCP sessions live on that are older than the policy; empty if there are none. */
export function renderSessions(connections: readonly Connection[]): string {
  const elements = connectionElements(connections)
  const added = (['known4', 'known6'] as const).flatMap((set) => {
    const keys = elements.filter((element) => element.set === set).map(({ key }) => `${key} timeout ${SESSION_TIME}`)
    return keys.length === 0 ? [] : [`add element inet ${POLICY_TABLE} ${set} { ${keys.join(', ')} }\n`]
  })
  return added.join('')
}

/** @returns the options that a rendered file was made with; undefined if the file is not ours. */
export function wordsInFile(text: string): readonly string[] | undefined {
  const line = text.split('\n', 8).find((each) => each.startsWith(MADE_BY))
  return line?.slice(MADE_BY.length).split(' ').filter(Boolean)
}

function dropped(what: string): readonly string[] {
  return [`${LOG_LIMIT} log prefix "${LOG_PREFIX}${what}" counter`, 'counter drop']
}

/** Sources that are forged. What is passed on is judged only if the policy is for it too. */
function arriving({ reversePath, forward }: HostPolicy): readonly string[] {
  const route = { strict: ['fib saddr . iif oif missing'], loose: ['fib saddr oif missing'], off: [] }[reversePath]
  return [
    `type filter hook prerouting priority ${BEFORE_THE_GATE}; policy accept;`,
    'iif lo accept',
    'ct state established,related accept',
    `${NEIGHBOURS} accept`,
    `${MULTICAST_LISTENERS} accept`,
    // What goes to all or to a group may come from an address that no route leads to, as a request for an address does.
    forward === 'drop' ? 'fib daddr type != { local, unicast } accept' : 'fib daddr type != local accept',
    ...[...IMPOSSIBLE, 'fib saddr type local', ...route].map((forged) => `${forged} jump spoofed`),
  ]
}

function input(policy: HostPolicy): readonly string[] {
  return [
    'type filter hook input priority filter; policy drop;',
    'iif lo accept',
    // First: conntrack takes all requests of one ping for one connection.
    ...(policy.ping ? ECHOES.map((request) => `${request} ${PING_LIMIT} counter drop`) : []),
    'ct state established,related accept',
    'tcp flags & (syn | ack) == ack ip saddr . tcp sport . tcp dport @known4 accept',
    'tcp flags & (syn | ack) == ack ip6 saddr . tcp sport . tcp dport @known6 accept',
    'ct state invalid jump invalid',
    '# What IPv6 needs, from this link only (RFC 4890).',
    `${NEIGHBOURS} ip6 hoplimit 255 accept`,
    `${MULTICAST_LISTENERS} ip6 saddr { ::, fe80::/10 } accept`,
    '# The same for IPv4: queries for members of multicast groups.',
    'ip protocol igmp accept',
    ...(policy.ping ? ECHOES.map((request) => `${request} accept`) : []),
    '# Answers of DHCP servers.',
    'meta nfproto ipv4 udp sport 67 udp dport 68 accept',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
    ...opened(policy),
    ...policy.trusted.map((name) => `iifname "${name}" accept`),
    ...portRules(policy.allow),
    ...policy.allowFrom.flatMap(sourceRules),
    '# Noise of neighbours is not logged.',
    'fib daddr type { broadcast, multicast, anycast } counter drop',
    ...dropped(''),
  ]
}

function forward(policy: HostPolicy): readonly string[] {
  return [
    'type filter hook forward priority filter; policy drop;',
    'ct state established,related accept',
    'ct state invalid jump invalid',
    ...opened(policy),
    ...dropped(''),
  ]
}

/** Answers are established: a rule for them is not needed. */
function output(policy: HostPolicy, out: readonly ProtocolPort[]): readonly string[] {
  return [
    'type filter hook output priority filter; policy drop;',
    'oif lo accept',
    'ct state established,related accept',
    // The first segment of a session from before the policy may be ours.
    'tcp flags & (syn | ack) == ack ip daddr . tcp dport . tcp sport @known4 accept',
    'tcp flags & (syn | ack) == ack ip6 daddr . tcp dport . tcp sport @known6 accept',
    'meta l4proto { icmp, icmpv6, igmp } accept',
    'meta nfproto ipv4 udp sport 68 udp dport 67 accept',
    'ip6 daddr { fe80::/10, ff02::/16 } udp sport 546 udp dport 547 accept',
    ...opened(policy),
    ...portRules(out),
    ...dropped(''),
  ]
}

function opened({ mark }: HostPolicy): readonly string[] {
  const bits = `0x${mark.toString(16)}`
  return ['# What ghostport opened.', `ct mark and ${bits} == ${bits} accept`]
}

function portRules(ports: readonly ProtocolPort[], before = ''): readonly string[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const listed = ports.filter((each) => each.protocol === protocol).map(({ port }) => port)
    return listed.length === 0 ? [] : [`${before}${protocol} dport { ${listed.join(', ')} } accept`]
  })
}

function sourceRules({ network, ports }: AllowedSource): readonly string[] {
  const from = `${familyOf(network.prefix) === 4 ? 'ip' : 'ip6'} saddr ${formatNetwork(network)} `
  return ports.length === 0 ? [`${from}accept`] : portRules(ports, from)
}
