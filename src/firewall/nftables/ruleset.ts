/**
 * Our table, as text for nftables. It is written once and never changes. What is open are elements of its sets and
 * maps, each with a timeout that the kernel keeps (docs/OPERATING.md § Living with the host's own firewall).
 */
import { createHash } from 'node:crypto'
import type { TableShape } from '../../config/server/firewall-settings.ts'
import { HELD_TIME } from '../connections/held-back.ts'
import { MAX_CONNECTIONS } from './connections.ts'
import { MOST_HELD } from './held-flows.ts'
import { HELD_SET_NAMES, type KnownSetName, SET_NAMES, type SetName, shapeOf } from './sets.ts'

/** The record of one grant may take several elements, because a comment holds 127 bytes. */
const LEDGER_ELEMENTS_PER_GRANT = 8
/**
 * An ended element stays in its set until the kernel's next round, up to a second later, and takes a place meanwhile.
 * The book limits how many grants are open (`holdings.ts`); the kernel's limit must only be large enough.
 */
const LEFT_BEHIND = 65_536
const CHAINS = [
  'onwards',
  'gate',
  'nat_pre',
  'forwarded',
  'delivered',
  'nat_post',
  'held',
  'held_here',
  'held_on',
] as const

/**
 * What the kernel keeps for a table: `owned`: only our netlink socket may change it. When that socket is gone, the
 * table stays, and the next one to claim it owns it.
 */
export type Ownership = 'owned' | 'free'

const FLAGS = 'flags owner, persist;'

/** @returns commands that remove this table, if it exists. @param persists whether it has that flag now. */
export function renderRemoval({ table }: Pick<TableShape, 'table'>, persists: boolean): string {
  // The first command would take the flag away, and the kernel does not allow that.
  return `${persists ? '' : `add table inet ${table}\n`}delete table inet ${table}\n`
}

/** @returns whether the kernel and nftables can make such a table: it makes one, and removes it. */
export function renderTrial({ table }: Pick<TableShape, 'table'>): string {
  const trial = `${table}_trial`
  return `add table inet ${trial} { ${FLAGS} }\ndelete table inet ${trial}\n`
}

/**
 * @param persists whether a table with this name has that flag now.
 * @returns commands that leave exactly this table, empty, in one transaction, regardless of what existed before.
 */
export function renderTable(shape: TableShape, ownership: Ownership = 'free', persists = false): string {
  const { table } = shape
  return `${renderRemoval(shape, persists)}table inet ${table} {
${flagsOf(ownership)}${renderSets(shape)}  # Says which version of this text the table was made from.
  set ${stampOf(shape)} { type inet_service; }
${renderChains(shape)}}
`
}

function flagsOf(ownership: Ownership): string {
  return ownership === 'owned' ? `  ${FLAGS}\n` : ''
}

/** @returns commands for a table that {@link isTableOf} recognises: they rewrite everything except what is open. */
export function renderAgain(shape: TableShape, ownership: Ownership = 'free'): string {
  const { table, mode } = shape
  const flushed = CHAINS.map((chain) => `flush chain inet ${table} ${chain}\n`)
  const gate =
    mode.kind === 'mark'
      ? []
      : [
          ...['protected', 'known4', 'known6'].map((set) => `flush set inet ${table} ${set}\n`),
          `add element inet ${table} protected { ${protectedPorts(mode)} }\n`,
        ]
  // First of all it becomes ours.
  const claim = ownership === 'owned' ? `add table inet ${table} { ${FLAGS} }\n` : ''
  return `${claim}${[...flushed, ...gate].join('')}table inet ${table} {\n${flagsOf(ownership)}${renderChains(shape)}}\n`
}

/** @param names of its chains and sets, from `dump.ts`. @returns whether they are exactly those of this shape. */
export function isTableOf(shape: TableShape, names: ReadonlySet<string>): boolean {
  const ours = [...renderTable(shape).matchAll(/^ {2}(?:set|map|chain) \S+ \{/gm)].map(([line]) => {
    const [kind, name] = line.trim().split(' ')
    return `${kind === 'chain' ? 'chain' : 'set'} ${name}`
  })
  return ours.length === names.size && ours.every((name) => names.has(name))
}

/**
 * The name of a set that marks the table with a hash of its text. Every version of nftables keeps such a name. The sets
 * themselves cannot be compared with the text that made them.
 */
function stampOf(shape: TableShape): string {
  const text = renderSets(shape) + renderChains(shape)
  return `text_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}

function renderSets(shape: TableShape): string {
  const places = shape.maxGrants + LEFT_BEHIND
  const sizeOf = (name: SetName): number => (name === 'ledger' ? LEDGER_ELEMENTS_PER_GRANT * places : places)
  const sets = SET_NAMES.map((name) => {
    const { key, value, ranges, about } = shapeOf(name)
    const type = value === undefined ? key.join(' . ') : `${key.join(' . ')} : ${value.join(' . ')}`
    const kind = value === undefined ? 'set' : 'map'
    const flags = ranges ? 'interval,timeout' : 'timeout'
    return `  # ${about}\n  ${kind} ${name} { type ${type}; flags ${flags}; size ${sizeOf(name)}; }\n`
  })
  return sets.join('') + renderHeldSets() + renderProtected(shape)
}

function renderChains(shape: TableShape): string {
  return `  # What is sent through this host to others.
  chain onwards {
${renderOnwards(shape)}
  }
  # After conntrack (-200) and before any address translation (-100): sees the public port.
  chain gate {
    type filter hook prerouting priority -150; policy accept;
    # Conntrack keeps the tuple of a connection that is half-closed or was never ended, and takes a new SYN there
    # for a part of the old connection. So every SYN needs a live grant, in spite of conntrack. If a grant ends while
    # its connection is being made, a repeated SYN is dropped too. The service then repeats its SYN-ACK, and the
    # connection is made.
    meta l4proto != tcp ct state established accept
    tcp flags & (fin | syn | rst | ack) != syn ct state established accept
    ct state related accept
    iif lo accept
    fib daddr type unicast goto onwards
${renderGate(shape)}
  }
  chain nat_pre {
    type nat hook prerouting priority -105; policy accept;
    # Forwarded packets are never redirected: a grant may be for an address whose owner did not ask for it.
    fib daddr type != local accept
    dnat ip to ip saddr . meta l4proto . th dport map @dnat4
    dnat ip6 to ip6 saddr . meta l4proto . th dport map @dnat6
    meta l4proto { tcp, udp } redirect to :ip saddr . meta l4proto . th dport map @redir4
    meta l4proto { tcp, udp } redirect to :ip6 saddr . meta l4proto . th dport map @redir6
    ${notKnocks(shape)}dnat ip to ip saddr map @divert4
    ${notKnocks(shape)}dnat ip6 to ip6 saddr map @divert6
  }
  # If the address of an inner host is this host's own, the grant would open every port of this host.
  # This host's addresses may change at any time, so the rule checks whether the packet is delivered here.
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
    ${sentOn(shape)} ip saddr @tmasq4 masquerade
    ${sentOn(shape)} ip6 saddr @tmasq6 masquerade
    ${sentOn(shape)} snat ip to ip saddr map @tsnat4
    ${sentOn(shape)} snat ip6 to ip6 saddr map @tsnat6
  }
  # What a service sends late, on a flow that was ended, would begin a connection of its own. What its client sends then
  # would be let in as part of that, without a grant. A client with a new grant begins the connection itself.
  chain held {
${renderHeld()}  }
  chain held_here {
    type filter hook output priority -150; policy accept;
    ct state new meta l4proto udp jump held
  }
  chain held_on {
    type filter hook forward priority -10; policy accept;
    ct state new jump held
  }
`
}

function renderHeldSets(): string {
  const sets = HELD_SET_NAMES.map((name) => {
    const { key, about } = shapeOf(name)
    return `  # ${about}\n  set ${name} { type ${key.join(' . ')}; flags dynamic,timeout; size ${MOST_HELD + LEFT_BEHIND}; }\n`
  })
  return sets.join('')
}

/** Each packet begins the time anew: a service may go on for ever. */
function renderHeld(): string {
  const families = [
    ['ip', 'held4'],
    ['ip6', 'held6'],
  ] as const
  const rules = families.map(([ip, set]) => {
    const flow = `${ip} saddr . meta l4proto . th sport . ${ip} daddr . th dport`
    return `    ${flow} @${set} update @${set} { ${flow} timeout ${HELD_TIME / 1000}s } counter drop\n`
  })
  return rules.join('')
}

/** nftables accepts a conntrack port only after the protocol is given. */
function renderForwarded(): string {
  const rule = (protocol: string, [ip, set]: readonly [string, string]): string =>
    `    meta l4proto ${protocol} ${ip} saddr . meta l4proto . ct original proto-dst @${set} counter drop`
  const families = [
    ['ip', 'fwd4'],
    ['ip6', 'fwd6'],
  ] as const
  const ports = ['tcp', 'udp'].flatMap((protocol) => families.map((family) => rule(protocol, family)))
  // A ghost service of the same source is delivered here too.
  const every = [
    ...['tcp', 'udp'].flatMap((protocol) =>
      ['4', '6'].map((family) => {
        const ip = family === '4' ? 'ip' : 'ip6'
        const key = `${ip} saddr . meta l4proto . ct original proto-dst`
        return `    meta l4proto ${protocol} ${key} @accept${family} return`
      }),
    ),
    '    ip saddr @every4 counter drop',
    '    ip6 saddr @every6 counter drop',
  ]
  return [...ports, ...every].join('\n')
}

function renderProtected({ mode }: TableShape): string {
  if (mode.kind === 'mark') return ''
  const known = (set: KnownSetName): string =>
    `set ${set} { type ${shapeOf(set).key.join(' . ')}; flags timeout; size ${MAX_CONNECTIONS}; }`
  return `  set protected { type inet_proto . inet_service; elements = { ${protectedPorts(mode)} }; }
  # TCP connections older than the gate, which conntrack may take for new ones
  ${known('known4')}
  ${known('known6')}
`
}

function protectedPorts({ protectedPorts }: Extract<TableShape['mode'], { kind: 'gate' }>): string {
  return protectedPorts.map(({ protocol, port }) => `${protocol} . ${port}`).join(', ')
}

/** Connections that this host only passes on. Those that a grant lets through carry the mark. */
function renderOnwards({ mark }: TableShape): string {
  const bits = `0x${mark.toString(16)}`
  const set = `ct mark set ct mark or ${bits} accept`
  return `    ip saddr . ip daddr . meta l4proto . th dport @transit4 ${set}
    ip6 saddr . ip6 daddr . meta l4proto . th dport @transit6 ${set}
    # As in the chain of the gate: let in by a grant that has ended.
    ct mark and ${bits} == ${bits} counter drop`
}

/** Marked on its way in, and not for this host. */
function sentOn({ mark }: TableShape): string {
  const bits = `0x${mark.toString(16)}`
  return `ct mark and ${bits} == ${bits}`
}

/** Does not match what a socket of ours waits for. */
function notKnocks({ knocks = [] }: TableShape): string {
  return knocks.length === 0
    ? ''
    : `meta l4proto . th dport != { ${knocks.map(({ protocol, port }) => `${protocol} . ${port}`).join(', ')} } `
}

function renderGate(shape: TableShape): string {
  const { mode, mark } = shape
  const set = `ct mark set ct mark or 0x${mark.toString(16)} accept`
  // The host accepts packets that carry the mark. This rule is for packets that no grant lets in, on a connection that
  // a grant let in: a SYN, or a packet that still has no answer. Without it, a source that keeps sending would keep its
  // way in after the grant's end.
  const accept = `    ip saddr . meta l4proto . th dport @accept4 ${set}
    ip6 saddr . meta l4proto . th dport @accept6 ${set}
    ${notKnocks(shape)}ip saddr @every4 ${set}
    ${notKnocks(shape)}ip6 saddr @every6 ${set}
    ct mark and 0x${mark.toString(16)} == 0x${mark.toString(16)} counter drop`
  if (mode.kind === 'mark') return accept
  return `${accept}
    tcp flags & (syn | ack) == ack ip saddr . tcp sport . tcp dport @known4 accept
    tcp flags & (syn | ack) == ack ip6 saddr . tcp sport . tcp dport @known6 accept
    meta l4proto . th dport @protected counter drop`
}
