/**
 * What the host's own rules do to ghostport's grants, and which ports they leave open without one (docs/OPERATING.md §
 * Living with the host's own firewall). Pure judgement. If a rule is not understood, the finding says that it was not
 * judged.
 */

import type { ConnectionMark, TableName } from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { cureAccepting, cureMark, cureNeighbours, lettingIn } from './cures.ts'
import type { Probe } from './probe.ts'
import type { HostChain, HostRuleLine, HostTable } from './ruleset.ts'
import { type ChainOutcome, walk } from './walk.ts'

/** Stable: for log rules and programs. */
export type FindingCode =
  /** Mark mode: the host drops what ghostport opens. */
  | 'HOST_DROPS_MARK'
  /** Gate mode: the host drops a protected port even for a source with a grant. */
  | 'HOST_DROPS_PORT'
  /** A port that grants are for is open without a grant. */
  | 'HOST_OPEN_PORT'
  /** A socket waits for knocks on a port that the host drops. */
  | 'HOST_DROPS_KNOCKS'
  /** Connections to such a port are not tracked. */
  | 'HOST_NOTRACK'
  /** IPv6 neighbour discovery is dropped. */
  | 'HOST_DROPS_NEIGHBOURS'
  /** One of the above could not be judged. */
  | 'HOST_NOT_JUDGED'

export interface Finding {
  readonly code: FindingCode
  readonly level: 'warning' | 'info'
  /** One sentence, printable. */
  readonly text: string
  /** What to do: a command, or a sentence. */
  readonly cure?: string
  /** Absent: true of both families, or of the only one. */
  readonly family?: 'IPv4' | 'IPv6'
  /** Ports that this keeps shut in spite of a grant; `all`: every port of this host that no other rule lets in. */
  readonly shuts?: 'all' | readonly ProtocolPort[]
}

/** What the configuration opens, and where it waits for knocks. */
export interface PortsInUse {
  /** Ports that grants are for. */
  readonly ports: readonly ProtocolPort[]
  /** Those of `ports` where a ghost service may share the port with a public one. */
  readonly decoys?: readonly ProtocolPort[]
  /** Where our sockets wait for knocks. Absent: packets are captured before any rule. */
  readonly knocks?: readonly ProtocolPort[]
  /** Whether there may be grants for inner hosts. */
  readonly forwarding: boolean
}

/** What the judgement needs besides the rules. */
export interface HostQuestion extends PortsInUse {
  /** Our own table, which is not judged. */
  readonly table: TableName
  readonly mark: ConnectionMark
  /** Absent: mark mode. */
  readonly protectedPorts?: readonly ProtocolPort[]
  /** Whether any link of the host has an IPv6 address. */
  readonly ipv6: boolean
}

export interface HostRuleset {
  readonly tables: readonly HostTable[]
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[]
}

const families = ['ip', 'ip6'] as const
const familyNames = { ip: 'IPv4', ip6: 'IPv6' } as const
const ARRIVING = ['ingress', 'prerouting', 'input'] as const
const NEIGHBOUR_SOLICITATION = 135
const NEIGHBOUR_ADVERTISEMENT = 136

/** @returns each finding once, the most serious first. */
export function findings(ruleset: HostRuleset, question: HostQuestion): readonly Finding[] {
  const tables = ruleset.tables.filter(({ family, name }) => family !== 'inet' || name !== question.table)
  const asked = { ...question, tables }
  const judged = families
    .filter((family) => family === 'ip' || question.ipv6)
    .flatMap((family) => [
      ...untracked(asked, family),
      ...(question.protectedPorts === undefined ? dropsMark(asked, family) : dropsPorts(asked, family)),
      ...dropsKnocks(asked, family),
      ...openPorts(asked, family),
      ...(family === 'ip6' ? dropsNeighbours(asked) : []),
    ])
  const unread = ruleset.unread.map((text): Finding => ({ code: 'HOST_NOT_JUDGED', level: 'info', text }))
  return byFamily(judged, question.ipv6).concat(unread).sort(bySeverity)
}

interface Asked extends Omit<HostQuestion, 'table' | 'mark'> {
  readonly mark: number
  readonly tables: readonly HostTable[]
}

/** The host's rules around chains of ours that its own chains jump to. */
export interface RulesAround {
  /** As a packet without a grant meets them. */
  readonly stranger: HostRuleset
  /** As a packet with a grant meets them: it is accepted where the host jumps to us. */
  readonly granted: HostRuleset
  /** The host's chain that jumps to ours, as `table chain`: `filter INPUT`. */
  readonly jumpsFrom: string
}

/** The same for FIREWALL iptables. @returns each finding once, the most serious first. */
export function findingsAround(
  { stranger, granted, jumpsFrom }: RulesAround,
  question: PortsInUse & Pick<HostQuestion, 'ipv6'>,
): readonly Finding[] {
  const shared = { ...question, mark: 0 }
  const judged = families
    .filter((family) => family === 'ip' || question.ipv6)
    .flatMap((family) => [
      ...untracked({ ...shared, tables: stranger.tables }, family),
      ...dropsPorts({ ...shared, tables: granted.tables, protectedPorts: question.ports }, family, jumpsFrom),
      ...dropsKnocks({ ...shared, tables: stranger.tables }, family),
      ...openPorts({ ...shared, tables: stranger.tables }, family, 'use FIREWALL nftables with FIREWALL_MODE gate'),
      ...(family === 'ip6' ? dropsNeighbours({ ...shared, tables: stranger.tables }) : []),
    ])
  const unread = stranger.unread.map((text): Finding => ({ code: 'HOST_NOT_JUDGED', level: 'info', text }))
  return byFamily(judged, question.ipv6).concat(unread).sort(bySeverity)
}

interface FamilyFinding extends Omit<Finding, 'family'> {
  readonly family: 'ip' | 'ip6'
}

/**
 * A finding that is the same for both families is listed once. One that holds for a single family names it, unless its
 * chain does.
 */
function byFamily(found: readonly FamilyFinding[], both: boolean): Finding[] {
  const texts = new Map<string, FamilyFinding[]>()
  for (const finding of found) {
    const key = `${finding.code} ${finding.text}`
    texts.set(key, [...(texts.get(key) ?? []), finding])
  }
  return [...texts.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const { family, ...finding } = first
    if (!both || same.some((other) => other.family !== family)) return [finding]
    const named = /\bip6?(tables|\b)|IPv6/.test(finding.text)
    const name = familyNames[family]
    return [{ ...finding, family: name, text: named ? finding.text : `${name}: ${finding.text}` }]
  })
}

function bySeverity(one: Finding, other: Finding): number {
  return Number(one.level === 'info') - Number(other.level === 'info')
}

function dropsMark(
  { tables, mark, ports, forwarding }: Asked & Pick<HostQuestion, 'mark'>,
  family: 'ip' | 'ip6',
): FamilyFinding[] {
  const found: FamilyFinding[] = []
  const granted = { family, state: 'new', mark, from: 'somebody' } as const
  const some = { ...granted, protocol: 'tcp' } as const
  const deaf = new Set<HostChain>()
  const judge = (hook: 'input' | 'forward', probe: Probe): void => {
    for (const outcome of walk(tables, ['prerouting', hook], probe).filter(dropsAll)) {
      const { chain } = outcome
      if (outcome.mayAccept.some(({ shown }) => /\bmark\b|connmark/.test(shown)) || deaf.has(chain)) continue
      deaf.add(chain)
      found.push({
        ...{ family, code: 'HOST_DROPS_MARK', level: 'warning' },
        text: `${nameOf(outcome)} drops what ghostport opens: no rule there accepts ghostport’s mark`,
        cure: cureMark(outcome, tables, mark),
        ...(hook === 'input' && { shuts: 'all' }),
      })
    }
  }
  judge('input', some)
  if (forwarding) judge('forward', { ...some, translated: true })
  for (const asked of ports) {
    const probe = { ...granted, protocol: asked.protocol, destinationPort: asked.port }
    for (const outcome of walk(tables, ['prerouting', 'input'], probe).filter(dropsAll)) {
      if (deaf.has(outcome.chain) || outcome.rule === undefined) continue
      found.push({
        ...{ family, code: 'HOST_DROPS_MARK', level: 'warning' },
        text: `${formatProtocolPorts([asked])} is dropped also where ghostport opened it: “${outcome.rule}” comes before the rule for ghostport’s mark`,
        cure: cureMark(outcome, tables, mark),
        shuts: [asked],
      })
    }
  }
  return found
}

/** @param jumpsFrom {@link RulesAround.jumpsFrom}; absent: no chain of the host jumps to us. */
function dropsPorts(
  { tables, mark, protectedPorts = [] }: Asked,
  family: 'ip' | 'ip6',
  jumpsFrom?: string,
): FamilyFinding[] {
  return protectedPorts.flatMap((asked) => {
    const { protocol, port } = asked
    const probe = { family, protocol, destinationPort: port, state: 'new', mark, from: 'somebody' } as const
    const dropping = walk(tables, ['prerouting', 'input'], probe).find(
      (outcome) => dropsAll(outcome) && outcome.mayAccept.length === 0,
    )
    if (dropping === undefined) return []
    return [
      {
        ...{ family, code: 'HOST_DROPS_PORT', level: 'warning' },
        text: `${nameOf(dropping)} drops ${formatProtocolPorts([asked])} also for those who have a grant`,
        cure:
          `${dropping.chain.table} ${dropping.chain.name}` === jumpsFrom
            ? `let the rule that jumps to ghostport’s chain come before “${dropping.rule ?? 'its policy'}”`
            : cureAccepting(dropping, asked),
        shuts: [asked],
      },
    ]
  })
}

function dropsKnocks({ tables, protectedPorts = [], knocks = [] }: Asked, family: 'ip' | 'ip6'): FamilyFinding[] {
  return knocks.flatMap((asked): FamilyFinding[] => {
    const { protocol, port } = asked
    const name = formatProtocolPorts([asked])
    const deaf = { family, code: 'HOST_DROPS_KNOCKS', level: 'warning' } as const
    if (protectedPorts.some((other) => isSame(other, asked))) {
      const cure = `take ${name} out of PROTECTED_PORTS${protocol === 'udp' ? ', or use CAPTURE packet' : ''}`
      const text = `${name} is in PROTECTED_PORTS, and knocks come there: ghostport drops them itself`
      return [{ ...deaf, text, cure }]
    }
    const probe = { family, protocol, destinationPort: port, state: 'new', mark: 0, from: 'somebody' } as const
    const dropping = walk(tables, ARRIVING, probe).find((one) => dropsAll(one) && one.mayAccept.length === 0)
    if (dropping === undefined) return []
    const waits = protocol === 'udp' ? 'CAPTURE udp' : 'the TCP server'
    const other = protocol === 'udp' ? ' (CAPTURE packet needs no open port)' : ''
    const text = `${nameOf(dropping)} drops ${name}, where ${waits} waits for knocks: none arrives${other}`
    return [{ ...deaf, text, cure: lettingIn(dropping, tables, asked) }]
  })
}

/** A chain for a single device does not drop packets of the other devices. */
export function dropsAll({ end, chain }: ChainOutcome): boolean {
  return end === 'drop' && chain.family !== 'netdev'
}

function openPorts(
  { tables, protectedPorts, ports, decoys = [] }: Asked,
  family: 'ip' | 'ip6',
  orElse = 'use FIREWALL_MODE gate',
): FamilyFinding[] {
  const open = new Map<string, ProtocolPort[]>()
  const shared = new Map<string, ProtocolPort[]>()
  const unclear = new Map<HostRuleLine, ProtocolPort[]>()
  for (const asked of ports) {
    if (protectedPorts?.some((other) => isSame(other, asked))) continue
    const { protocol, port } = asked
    const probe = { family, protocol, destinationPort: port, state: 'new', mark: 0, from: 'stranger' } as const
    const outcomes = walk(tables, ARRIVING, probe)
    const dropping = outcomes.filter(dropsAll)
    if (dropping.length > 0) {
      // Each chain that drops the port may let some packets in before that: by a rule for this very port with an
      // address or interface, for example.
      const [accepting, ...more] = dropping.map(({ mayAccept }) => mayAccept.find(namesPort))
      if (accepting !== undefined && more.every((other) => other !== undefined))
        unclear.set(accepting, [...(unclear.get(accepting) ?? []), asked])
      continue
    }
    const unsure = outcomes.flatMap(({ mayDrop }) => mayDrop)[0]
    const rule = outcomes.findLast(({ chain }) => chain.base?.hook === 'input')?.rule
    if (unsure !== undefined) unclear.set(unsure, [...(unclear.get(unsure) ?? []), asked])
    else {
      const kind = decoys.some((other) => isSame(other, asked)) ? shared : open
      kind.set(String(rule ?? ''), [...(kind.get(String(rule ?? '')) ?? []), asked])
    }
  }
  const gate = protectedPorts !== undefined
  const said = (level: Finding['level'], rule: string, listed: readonly ProtocolPort[]): FamilyFinding => {
    const [are, them] = listed.length === 1 ? ['is', 'it'] : ['are', 'them']
    const why = rule === '' ? `no rule of the host’s firewall drops ${them}` : `“${rule}”`
    const remove = rule === '' ? 'drop by default' : 'delete that rule'
    const shut = gate ? `add ${them} to PROTECTED_PORTS, or ${remove}` : `${remove}, or ${orElse}`
    return {
      ...{ family, code: 'HOST_OPEN_PORT', level },
      text: `${formatProtocolPorts(listed)} ${are} open to everybody, also without a grant: ${why}`,
      cure:
        level === 'info' ? `nothing if a public service answers there beside a ghost service; otherwise ${shut}` : shut,
    }
  }
  return [
    ...[...open].map(([rule, listed]) => said('warning', rule, listed)),
    ...[...shared].map(([rule, listed]) => said('info', rule, listed)),
    ...[...unclear].map(
      ([rule, listed]): FamilyFinding => ({
        ...{ family, code: 'HOST_NOT_JUDGED', level: 'info' },
        text: `whether ${formatProtocolPorts(listed)} is open to everybody was not judged: it depends on “${rule}”`,
      }),
    ),
  ]
}

/** Matches rules that are written for ports. Which ports a named set holds is not checked here. */
function namesPort({ shown }: HostRuleLine): boolean {
  return /\bdport (?!@)/.test(shown)
}

function untracked({ tables, protectedPorts, ports }: Asked, family: 'ip' | 'ip6'): FamilyFinding[] {
  const found = new Map<HostRuleLine, ProtocolPort[]>()
  for (const asked of [
    ...ports,
    ...(protectedPorts ?? []).filter((one) => !ports.some((other) => isSame(one, other))),
  ]) {
    const { protocol, port } = asked
    const arriving = { family, protocol, destinationPort: port, state: 'new', mark: 0, from: 'somebody' } as const
    const answer = { family, protocol, sourcePort: port, state: 'new', mark: 0, from: 'self' } as const
    for (const outcome of [...walk(tables, ['prerouting'], arriving), ...walk(tables, ['output'], answer)])
      for (const rule of outcome.untracking) found.set(rule, [...(found.get(rule) ?? []), asked])
  }
  const effect =
    protectedPorts === undefined
      ? 'a grant cannot open what is not tracked'
      : 'a session there ends together with its grant'
  return [...found].map(([rule, listed]) => ({
    ...{ family, code: 'HOST_NOTRACK', level: 'warning' },
    text: `“${rule}” keeps ${formatProtocolPorts(listed)} from connection tracking: ${effect}`,
    cure: 'delete that rule, or let it pass over these ports',
    ...(protectedPorts === undefined && { shuts: listed }),
  }))
}

function dropsNeighbours({ tables }: Asked): FamilyFinding[] {
  const dropping = new Map<HostChain, ChainOutcome>()
  for (const icmpType of [NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT]) {
    const from = {
      family: 'ip6',
      protocol: 'icmpv6',
      icmpType,
      state: 'untracked',
      mark: 0,
      from: 'neighbour',
    } as const
    for (const outcome of walk(tables, ARRIVING, from))
      if (dropsAll(outcome) && outcome.mayAccept.length === 0) dropping.set(outcome.chain, outcome)
  }
  return [...dropping.values()].map((outcome) => ({
    ...{ family: 'ip6', code: 'HOST_DROPS_NEIGHBOURS', level: 'warning' },
    text: `${nameOf(outcome)} drops IPv6 neighbour discovery: IPv6 stops working within minutes, in both directions`,
    cure: cureNeighbours(outcome, tables),
  }))
}

/** The name of a chain in messages. */
export function nameOf({ chain, by }: ChainOutcome): string {
  if (by === 'iptables-legacy')
    return `${chain.family === 'ip6' ? 'ip6tables-legacy' : 'iptables-legacy'} ${chain.table} ${chain.name}`
  return `${chain.family} ${chain.table} ${chain.name}`
}

function isSame(one: ProtocolPort, other: ProtocolPort): boolean {
  return one.protocol === other.protocol && one.port === other.port
}
