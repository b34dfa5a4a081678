/**
 * The conditions of a rule that can be judged, in the words of nft 1.0, including its translation of iptables matches.
 */
import { type Grade, grade, not, type Probe, type Test } from './probe.ts'

/** Statements without a condition and without a verdict. */
export const skipped =
  /^(counter( packets \d+ bytes \d+| name \S+)?|comment "[^"]*"|log( prefix "[^"]*"| level \S+| group \d+| snaplen \d+| queue-threshold \d+| flags (all|skuid|ether|(tcp|ip) \S+))*|(meta mark|ct mark|mark|meta priority|meta nftrace|ct label|ct helper|ct zone|meta secmark) set (\S+ (and|or|xor|&|\||\^) \S+( (and|or|xor|&|\||\^) \S+)*|"[^"]*"|\S+))(?= |$)/

type Make = (match: RegExpExecArray) => Test

/** `{ 1, 2 }`, `"x"`, `@set` or one word. */
const VALUE = String.raw`(!= |== )?(\{ [^}]* \}|@\S+|"[^"]*"|[^\s{]+)`

export const matchers: readonly (readonly [RegExp, Make])[] = [
  // A key of several parts: it is not known which of them holds.
  [/^[a-z0-9]+ [a-z-]+( \. [a-z0-9]+ [a-z-]+)+ (!= |== )?(\{ [^}]* \}|@\S+|\S+( \. \S+)*)/, concatenation],
  [value('(?:meta )?(?:iif|iifname)'), values((text) => interfaceIn(text))],
  [
    value('(?:meta )?(?:oif|oifname)'),
    values((text) => (probe) => (probe.from === 'self' ? interfaceIn(text)(probe) : 'unknown')),
  ],
  [value('meta nfproto'), values((text) => (probe) => grade(familyOf(text) === probe.family))],
  [value('(?:meta protocol|ether type)'), values((text) => (probe) => grade(familyOf(text) === probe.family))],
  [value('meta l4proto'), values((text) => (probe) => grade(protocolOf(text) === probe.protocol))],
  [
    value('ip protocol'),
    inFamily(
      'ip',
      values((text) => (probe) => grade(protocolOf(text) === probe.protocol)),
    ),
  ],
  [
    value('ip6 nexthdr'),
    inFamily(
      'ip6',
      values((text) => (probe) => grade(protocolOf(text) === probe.protocol)),
    ),
  ],
  [value('ip saddr'), inFamily('ip', source)],
  [value('ip6 saddr'), inFamily('ip6', source)],
  [value('ip daddr'), inFamily('ip', () => () => 'unknown')],
  [value('ip6 daddr'), inFamily('ip6', () => () => 'unknown')],
  [
    value('ip6 hoplimit'),
    inFamily(
      'ip6',
      values((text) => (probe) => (probe.from === 'neighbour' ? grade(text === '255') : 'unknown')),
    ),
  ],
  [
    value('(?:ether saddr|ip dscp|ip ttl|meta mark|mark|meta length|meta skuid|meta skgid|meta cgroup)'),
    () => () => 'unknown',
  ],
  [value('tcp dport'), ofProtocol('tcp', values(portIn('destinationPort')))],
  [value('udp dport'), ofProtocol('udp', values(portIn('destinationPort')))],
  [value('th dport'), values(portIn('destinationPort'))],
  [value('tcp sport'), ofProtocol('tcp', values(portIn('sourcePort')))],
  [value('udp sport'), ofProtocol('udp', values(portIn('sourcePort')))],
  [value('th sport'), values(portIn('sourcePort'))],
  [/^tcp flags (?:& )?(\([^)]*\)|\S+) (==|!=) (\([^)]*\)|\S+)/, ([, mask, how, wanted]) => tcpFlags(mask, how, wanted)],
  [/^tcp flags (!= |== )?(\S+) \/ (\S+)/, ([, how = '==', wanted, mask]) => tcpFlags(mask, how.trim(), wanted)],
  [/^tcp flags (!=|==) (\S+)/, ([, how, wanted]) => tcpFlags(ALL_FLAGS, how, wanted)],
  [/^tcp flags ! (\S+)/, ([, listed]) => tcpFlags(listed, '==', '0')],
  // Without an operator: any of these.
  [/^tcp flags (\S+)/, ([, listed]) => tcpFlags(listed, '!=', '0')],
  [
    value('icmpv6 type'),
    ofProtocol(
      'icmpv6',
      values((text) => (probe) => grade(icmpTypeOf(text) === probe.icmpType)),
    ),
  ],
  [value('icmpv6 [a-z-]+'), ofProtocol('icmpv6', () => () => 'unknown')],
  [/^(icmp|igmp|sctp|dccp|esp|ah|udplite|arp) [a-z-]+ (!= |== )?(\{ [^}]* \}|\S+)/, () => () => 'no'],
  // No honest first packet has any of these.
  [/^ip frag-off & \S+ != \S+/, () => () => 'no'],
  [/^(rt type|frag|hbh|mh|exthdr) \S+( exists| \S+)?/, () => () => 'no'],
  [/^ct state & (\([^)]*\)|\S+) (==|!=) \S+/, () => () => 'unknown'],
  [
    value('ct state'),
    values((text) => (probe) => grade(text.split(',').some((word) => stateOf(word) === probe.state))),
  ],
  [
    value('ct direction'),
    values((text) => (probe) => grade((text === 'original' || text === '0') === (probe.from !== 'self'))),
  ],
  [
    /^ct mark (?:&|and) (0x[0-9a-f]+|\d+) (==|!=) (0x[0-9a-f]+|\d+)/,
    ([, mask, how, wanted]) => connectionMark(mask, how, wanted),
  ],
  [/^ct mark (!= )?(0x[0-9a-f]+|\d+)/, ([, how, wanted]) => connectionMark('0xffffffff', how, wanted)],
  [
    value('ct status'),
    ([, negation, text = '']) =>
      (probe) =>
        status(probe, text, negation),
  ],
  [
    value('fib daddr type'),
    values((text) => (probe) => (probe.from === 'neighbour' ? 'unknown' : grade(text === 'local' || text === '2'))),
  ],
  // The source of a peer is never an address of this host, nor one of no single host.
  [
    value('fib saddr type'),
    values((text) => (probe) => (probe.from === 'self' ? 'unknown' : grade(text === 'unicast' || text === '1'))),
  ],
  // Packets of our peers arrive on the interface that the answer leaves by; otherwise no connection comes about.
  [/^fib saddr [a-z. ]+? oif (missing|0)\b/, () => () => 'no'],
  [/^fib saddr [a-z. ]+? oif (exists|!= 0)/, () => () => 'yes'],
  [
    value('(?:meta )?pkttype'),
    values((text) => (probe) => (probe.from === 'neighbour' ? 'unknown' : grade(/^(host|unicast|0)$/.test(text)))),
  ],
  [/^limit rate over [^\s]+( \S+)?( burst \d+ \S+)?/, () => () => 'no'],
  [/^limit rate \S+( burst \d+ \S+)?/, () => () => 'yes'],
  [/^ct count over \d+/, () => () => 'no'],
  [/^ct count \d+/, () => () => 'yes'],
  // A source that is counted there is refused only when it exceeds the limit.
  [
    /^(meter \S+( size \d+)?|add @\S+|update @\S+) \{ [^}]*\b(limit rate over|ct count over)\b[^}]*\}/,
    () => () => 'no',
  ],
  [/^(meter \S+( size \d+)?|(add|update|delete) @\S+) \{ [^}]* \}/, () => () => 'yes'],
]

function value(key: string): RegExp {
  return new RegExp(`^${key} ${VALUE}`)
}

/** One value, or a set of them. The contents of a named set are unknown. */
function values(of: (text: string) => Test): Make {
  return (match) => {
    const [negated, text = ''] = [match.at(-2) === '!= ', match.at(-1)]
    if (text.startsWith('@')) return () => 'unknown'
    const listed = text.startsWith('{') ? text.slice(2, -2).split(', ') : [text]
    const tests = listed.map((one) => of(one.replace(/^"(.*)"$/, '$1')))
    return (probe) => {
      const found = anyOf(tests, probe)
      return negated ? not(found) : found
    }
  }
}

function anyOf(tests: readonly Test[], probe: Probe): Grade {
  let best: Grade = 'no'
  for (const test of tests) {
    const found = test(probe)
    if (found === 'yes') return 'yes'
    if (found === 'unknown') best = 'unknown'
  }
  return best
}

function inFamily(family: Probe['family'], make: Make): Make {
  return (match) => {
    const test = make(match)
    return (probe) => (probe.family === family ? test(probe) : 'no')
  }
}

function ofProtocol(protocol: Probe['protocol'], make: Make): Make {
  return (match) => {
    const test = make(match)
    return (probe) => (probe.protocol === protocol ? test(probe) : 'no')
  }
}

/** `ip saddr . tcp dport @known`: if a source is part of the key, this does not match a stranger. */
function concatenation(match: RegExpExecArray): Test {
  const [whole] = match
  const named = / saddr\b/.test(whole) && !whole.includes(' != ')
  return (probe) => (named && probe.from === 'stranger' ? 'no' : 'unknown')
}

/** A stranger is a source that no rule names. */
function source(match: RegExpExecArray): Test {
  const [negated, text = ''] = [match.at(-2) === '!= ', match.at(-1)]
  const everybody = /^(0\.0\.0\.0|::)\/0$/.test(text)
  return (probe) => {
    if (everybody) return grade(!negated)
    return probe.from === 'stranger' ? grade(negated) : 'unknown'
  }
}

function interfaceIn(text: string): Test {
  return () => (text === 'lo' || text === '1' ? 'no' : 'unknown')
}

function portIn(which: 'destinationPort' | 'sourcePort'): (text: string) => Test {
  return (text) => {
    const [, from = '', to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
    if (from === '') return () => 'unknown'
    const [low, high] = [Number(from), Number(to)]
    return (probe) => {
      if (probe.protocol === 'icmpv6') return 'no'
      const port = probe[which]
      if (port !== undefined) return grade(port >= low && port <= high)
      if (low <= 1024 && high === 65_535) return low <= 1 || which === 'sourcePort' ? 'yes' : 'unknown'
      return high - low > 1_000 ? 'unknown' : 'no'
    }
  }
}

const protocols: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '58': 'icmpv6', 'ipv6-icmp': 'icmpv6' }
function protocolOf(text: string): string {
  return protocols[text] ?? text
}

function familyOf(text: string): Probe['family'] | undefined {
  if (/^(ipv4|ip|2|0x0800|2048|8)$/.test(text)) return 'ip'
  return /^(ipv6|ip6|10|0x86dd|34525)$/.test(text) ? 'ip6' : undefined
}

const icmpTypes: Readonly<Record<string, number>> = {
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
}
function icmpTypeOf(text: string): number {
  return icmpTypes[text] ?? Number(text)
}

const states: Readonly<Record<string, string>> = { '0x8': 'new', '0x40': 'untracked' }
function stateOf(text: string): string {
  return states[text] ?? text
}

function connectionMark(mask = '', how = '', wanted = ''): Test {
  const [bits, value] = [BigInt(mask), BigInt(wanted)]
  return (probe) => grade(((BigInt(probe.mark) & bits) === value) === !how.startsWith('!='))
}

/** A packet to an inner host was redirected; no other packet of a stranger was. */
function status(probe: Probe, text: string, negation: string | undefined): Grade {
  if (!/^(dnat|0x20)$/.test(text)) return 'unknown'
  return grade((probe.translated === true) === (negation !== '!= '))
}

const flagBits: Readonly<Record<string, number>> = {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 16,
  urg: 32,
  ecn: 64,
  cwr: 128,
}

const ALL_FLAGS = '0xff'

/** `tcp flags & (fin | syn | rst | ack) != syn`, for a first segment: SYN alone. */
function tcpFlags(mask = '', how = '', wanted = ''): Test {
  const [bits, value] = [bitsOf(mask), bitsOf(wanted)]
  return (probe) => {
    if (probe.protocol !== 'tcp') return 'no'
    if (Number.isNaN(bits) || Number.isNaN(value) || probe.from === 'self') return 'unknown'
    return grade((((flagBits['syn'] ?? 0) & bits) === value) === (how === '=='))
  }
}

function bitsOf(text: string): number {
  const words = text.replace(/[()]/g, '').split(/ ?[|,] ?/)
  return words.reduce((sum, word) => sum | (flagBits[word] ?? (word === '' ? Number.NaN : Number(word))), 0)
}
