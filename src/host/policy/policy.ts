/**
 * The policy of a host that has no other: what it drops, and what it lets in (docs/POLICY.md). Here are its type, and
 * the readers of its options. `render.ts` writes it for nftables.
 */
import type { ConnectionMark } from '../../config/server/firewall-settings.ts'
import { familyOf, type Network, parseNetwork } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts, parseProtocolPorts } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Brand } from '../../units.ts'

/** The name of a network interface, which need not exist yet. Made by {@link parseInterface}. */
export type InterfaceName = Brand<string, 'InterfaceName'>

/** Sources that are let in without a knock. */
export interface AllowedSource {
  readonly network: Network
  /** Empty: all ports. */
  readonly ports: readonly ProtocolPort[]
}

/** How the source of a new packet is compared with the routes of this host. */
export const REVERSE_PATHS = ['strict', 'loose', 'off'] as const
/**
 * `strict`: the route back to the source leaves by the interface that the packet came in by. `loose`: there is a route
 * back. `off`: not compared.
 */
export type ReversePath = (typeof REVERSE_PATHS)[number]

/** What becomes of packets that this host only passes on. */
export const FORWARDINGS = ['drop', 'leave'] as const
/** `leave`: the policy says nothing of them. */
export type Forwarding = (typeof FORWARDINGS)[number]

export interface HostPolicy {
  /** Connections with this bit are let in: ghostport opened them. */
  readonly mark: ConnectionMark
  /** Let in from everybody, without a knock. */
  readonly allow: readonly ProtocolPort[]
  readonly allowFrom: readonly AllowedSource[]
  /** All that comes in by these interfaces is let in. */
  readonly trusted: readonly InterfaceName[]
  /** Whether ping is answered, within a limit. */
  readonly ping: boolean
  readonly reversePath: ReversePath
  readonly forward: Forwarding
  /** Where new connections of this host may go. Absent: anywhere. */
  readonly out?: readonly ProtocolPort[]
}

type ValueFailure = Failure<'VALUE_INVALID'>

/** `tcp/22`, or several: `tcp/80,tcp/443`. @param option for messages. */
export function parsePorts(option: string, text: string): Result<readonly ProtocolPort[], ValueFailure> {
  const ports = parseProtocolPorts(text)
  return ports.ok ? ports : refuse('VALUE_INVALID', `${option}: ${ports.failure.detail}`)
}

/** `192.0.2.7`, `2001:db8::/32`, or with ports: `192.0.2.7,tcp/22,udp/53`. */
export function parseAllowedSource(option: string, text: string): Result<AllowedSource, ValueFailure> {
  const comma = text.indexOf(',')
  const where = comma < 0 ? text : text.slice(0, comma)
  const network = parseNetwork(where)
  if (!network.ok) {
    const swapped = /^(tcp|udp)\/\d+$/.test(where)
    const detail = swapped ? `“${text}” has no address: the address comes first` : network.failure.detail
    return refuse('VALUE_INVALID', `${option}: ${detail}`, { suggestion: `${option} 192.0.2.7,tcp/22` })
  }
  if (network.value.length === 0) {
    const ports = comma < 0 ? 'tcp/22' : text.slice(comma + 1)
    return refuse('VALUE_INVALID', `${option}: ${where} is every address`, { suggestion: `--allow ${ports}` })
  }
  if (comma < 0) return ok({ network: network.value, ports: [] })
  const ports = parsePorts(option, text.slice(comma + 1))
  return ports.ok ? ok({ network: network.value, ports: ports.value }) : ports
}

/** IFNAMSIZ, less the NUL at the end. */
const LONGEST_INTERFACE = 15

/** The kernel takes more characters than these. No usual name has others, and nft reads these as they are. */
export function parseInterface(option: string, text: string): Result<InterfaceName, ValueFailure> {
  if (text === 'lo') return refuse('VALUE_INVALID', `${option}: lo is always let in`)
  if (/^[A-Za-z0-9_.@:-]+$/.test(text) && text.length <= LONGEST_INTERFACE) return ok(text as InterfaceName)
  const detail = `“${text}” is not the name of an interface, such as wg0: at most ${LONGEST_INTERFACE} letters, digits and . _ @ : -`
  return refuse('VALUE_INVALID', `${option}: ${detail}`)
}

/** Each once, by protocol and number. */
export function distinctPorts(ports: readonly ProtocolPort[]): readonly ProtocolPort[] {
  const known = new Map(ports.map((each) => [`${each.protocol}/${each.port}`, each]))
  return [...known.values()].sort((one, other) => one.protocol.localeCompare(other.protocol) || one.port - other.port)
}

/** The options of `ghostport policy install` that make this policy. The mark comes from the server’s settings. */
export function policyWords(policy: HostPolicy): readonly string[] {
  const { allow, allowFrom, trusted, ping, reversePath, forward, out } = policy
  const ports = (option: string, listed: readonly ProtocolPort[]): readonly string[] =>
    listed.length === 0 ? [] : [option, formatProtocolPorts(listed)]
  return [
    ...ports('--allow', allow),
    ...allowFrom.flatMap(({ network, ports }) => [
      '--allow-from',
      [formatNetwork(network), ...(ports.length === 0 ? [] : [formatProtocolPorts(ports)])].join(','),
    ]),
    ...trusted.flatMap((name) => ['--trust', name]),
    ...(ping ? [] : ['--no-ping']),
    ...['--reverse-path', reversePath, '--forward', forward],
    ...ports('--out', out ?? []),
  ]
}

/** `192.0.2.7`, `192.0.2.0/24`. */
export function formatNetwork({ prefix, length }: Network): string {
  return length === (familyOf(prefix) === 4 ? 32 : 128) ? prefix : `${prefix}/${length}`
}
