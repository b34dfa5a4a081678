/** Why a port may have stayed shut. The server never says, so this collects all that the client can see. */
import type { Transport } from '../config/client/layer.ts'
import { familyOf, type IpAddress } from '../packet/address.ts'
import { type Failure, refuse } from '../result.ts'
import type { Milliseconds, UnixSeconds } from '../units.ts'
import type { SentKnock } from './knock.ts'
import type { Request } from './request.ts'
import { protocolOf } from './route.ts'
import type { AddressSeen, ClosedDoor, Door } from './wait.ts'

/** How a knock failed whose packets left. */
export interface ShutDoor {
  readonly failure: Failure<'PORT_NOT_OPEN'>
  /** The likely causes, the likeliest first, each a sentence or two. */
  readonly causes: readonly string[]
}

/** How a knock went: used to find the likely causes. */
export interface Circumstances {
  readonly door: Door
  readonly seen: ClosedDoor
  readonly limit: Milliseconds
  readonly request: Request
  readonly sent: readonly SentKnock[]
  readonly now: UnixSeconds
  /** How the packets left (`udp` where absent). */
  readonly transport?: Transport
  /** Whether a proxy passes them on. */
  readonly proxied?: boolean
  /** Whether a gateway passes them on. */
  readonly byGateway?: boolean
  /** Whether their source address is not one of this host. */
  readonly spoofed?: boolean
}

/** The answer of an address, the most telling first. */
type Answer = 'mute' | 'refused' | 'no-host' | 'no-route' | 'not-allowed' | 'other-error' | 'silence'

/**
 * Why a port may have stayed shut: the server never says, so that all that this side can see is brought together.
 * @param circumstances how the knock went. `limit` is how long was waited, in milliseconds; `now` this host's clock.
 * @returns the failure `PORT_NOT_OPEN`, and the likely causes.
 * @example
 * ```ts
 * import { explainShutDoor, milliseconds, port, unixSeconds } from 'ghostport'
 * import { parseAddress, parseProtocolPorts, parseUsername } from 'ghostport/packet'
 *
 * const address = parseAddress('192.0.2.10')
 * const username = parseUsername('ada')
 * const ports = parseProtocolPorts('tcp/22')
 * if (!address.ok || !username.ok || !ports.ok) throw new Error('not usable')
 * const { failure, causes } = explainShutDoor({
 *   door: { addresses: [address.value], port: port(22), sign: 'connect' },
 *   seen: { open: false, attempts: 9, seen: [{ address: address.value, refused: 9, mute: 0, errors: [] }] },
 *   limit: milliseconds(5000),
 *   request: { kind: 'access', source: 'packet-source', username: username.value, timeOffset: 0, ports: ports.value },
 *   sent: [],
 *   now: unixSeconds(1795410748),
 * })
 * console.log(failure.code) // PORT_NOT_OPEN
 * console.log(failure.detail) // 192.0.2.10 port 22 answers with a reset (5 s, 9 attempts)
 * console.log(causes.length > 3) // true
 * ```
 */
export function explainShutDoor(circumstances: Circumstances): ShutDoor {
  const { door, seen, limit, sent } = circumstances
  const answers = new Map<Answer, AddressSeen[]>()
  for (const one of seen.seen) answers.set(answerOf(one), [...(answers.get(answerOf(one)) ?? []), one])
  const what = [...answers].map(
    ([answer, answering]) =>
      `${answering.map(({ address }) => address).join(', ')} port ${door.port} ${describe(answer, answering)}`,
  )
  // If no attempt can have reached the server, keys and clocks explain nothing.
  const reached = [...answers.keys()].some((it) => it !== 'no-route' && it !== 'not-allowed')
  const knocks = knocksIn(sent)
  const effort = [`${limit / 1000} s`, ...(knocks > 1 ? [`${knocks} knocks`] : []), `${seen.attempts} attempts`]
  return {
    failure: refuse('PORT_NOT_OPEN', `${what.join('; ')} (${effort.join(', ')})`).failure,
    causes: [
      ...[...answers].flatMap(([answer, answering]) => whatAnswered(answer, answering)),
      ...(reached ? whyNotGranted(circumstances) : []),
    ],
  }
}

function answerOf({ mute, refused, errors }: AddressSeen): Answer {
  if (mute > 0) return 'mute'
  if (refused > 0) return 'refused'
  // The kernel gave up on the connection before --wait-limit did.
  const [code] = errors.filter((it) => it !== 'ETIMEDOUT')
  switch (code) {
    case undefined:
      return 'silence'
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
      return 'no-host'
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
      return 'no-route'
    case 'EACCES':
    case 'EPERM':
    case 'EINVAL': // a blackhole route
      return 'not-allowed'
    default:
      return 'other-error'
  }
}

function describe(answer: Answer, answering: readonly AddressSeen[]): string {
  const codes = [...new Set(answering.flatMap(({ errors }) => errors))].join(', ')
  switch (answer) {
    case 'mute':
      return 'accepts connections, but does not speak first'
    case 'refused':
      return 'answers with a reset'
    case 'no-host':
      return `is not reachable (${codes})`
    case 'no-route':
      return `has no route from here (${codes})`
    case 'not-allowed':
      return `may not be connected to from here (${codes})`
    case 'other-error':
      return `cannot be connected to (${codes})`
    case 'silence':
      return 'does not answer'
  }
}

/** The causes that the answer itself suggests. */
function whatAnswered(answer: Answer, answering: readonly AddressSeen[]): readonly string[] {
  const addresses = answering.map(({ address }) => address)
  switch (answer) {
    case 'mute':
      return [
        'The port is shut, and the server behind the public port answered. Or the service waits for the client to speak first: then add --wait-for connect.',
      ]
    case 'refused':
      return [
        'The port is open, and no service listens behind it. Or it is shut, and a firewall rejects connections instead of dropping them.',
      ]
    case 'no-host':
      return [
        `No route, or nobody at that address: a router, or this host’s own network, says that ${addresses.join(', ')} cannot be reached. Check the address, and that the server is up.`,
        'A firewall may send the same answer for a port that is shut (“host prohibited”). Then the causes below apply.',
      ]
    case 'no-route':
      return [
        `No route: this host, or a router on the way, has no ${families(addresses)} route to ${addresses.join(', ')}.`,
      ]
    case 'not-allowed':
      return [
        `This host does not let the connection to ${addresses.join(', ')} out: its own firewall, a “prohibit” or “blackhole” route (ip route), or a sandbox.`,
      ]
    case 'other-error':
    case 'silence':
      return []
  }
}

function families(addresses: readonly IpAddress[]): string {
  return [...new Set(addresses.map((it) => `IPv${familyOf(it)}`))].join(' or ')
}

/** @returns how many packets left for the address that most of them left for. */
function knocksIn(sent: readonly SentKnock[]): number {
  const counts = new Map<IpAddress, number>()
  for (const { address, departure } of sent) if (departure.ok) counts.set(address, (counts.get(address) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}

function whyNotGranted(circumstances: Circumstances): readonly string[] {
  const { now } = circumstances
  return [
    'The keys, the HMAC digest type or the encryption mode are not those of the server’s stanza.',
    ...whyNotArrived(circumstances),
    `The clocks differ: it is ${new Date(now * 1000).toISOString()} here. A server refuses a packet that is more than about two minutes old.`,
    'The server’s firewall has no mark rule: ghostport grants, and the firewall still blocks the connection. “ghostport serve --exit-parse-config” on the server says so (HOST_DROPS_MARK).',
    ...addressCauses(circumstances),
    'The stanza does not allow what was asked for (ports, NAT, user name). The server’s log has a line with the reason for every packet that it looked at.',
  ]
}

function whyNotArrived({ sent, transport = 'udp', proxied, byGateway, spoofed }: Circumstances): readonly string[] {
  const ports = [...new Set(sent.map(({ port }) => port))].join(', ')
  const dropped = transport === 'icmp' ? 'ICMP' : `${protocolOf(transport).toUpperCase()} port ${ports}`
  const lost =
    knocksIn(sent) > 1
      ? `ghostport is not running on the server, or no packet arrives: a firewall on the way drops ${dropped}.`
      : `ghostport is not running on the server, or the packet did not arrive: it was lost, or a firewall on the way drops ${dropped}.`
  const http = `The server does not read packets in HTTP requests, or not on this port (ENABLE_SPA_OVER_HTTP). Or the user agent does not begin with “Fwknop” (HTTP_USER_AGENT).`
  switch (transport) {
    case 'http':
      return [http, ...(proxied === true ? ['The proxy did not pass the request on: “-v” shows its answer.'] : [lost])]
    case 'https':
      if (byGateway === true)
        return [
          'The gateway does not know the server by this id (--gateway-target), or a limit of the gateway was reached, or its packet did not arrive at the server.',
        ]
      return [http, 'The web server that ends TLS did not pass the request on to the server that reads the packet.']
    case 'tcp':
      return [
        `The connection to the server succeeded, but what accepts it does not read packets: the server has no TCP server on port ${ports} (ENABLE_TCP_SERVER, TCPSERV_PORT).`,
      ]
    case 'udp':
      return [lost]
    case 'udpraw':
    case 'tcpraw':
    case 'icmp':
      return [
        lost,
        ...(transport === 'udpraw'
          ? []
          : [`The server does not read packets that come by ${transport} (PCAP_FILTER says which it reads).`]),
        ...(spoofed === true
          ? ['A network on the way drops packets whose source address is not one of its own: most providers do.']
          : []),
      ]
    default:
      return transport satisfies never
  }
}

function addressCauses({ request, sent, proxied, spoofed }: Circumstances): readonly string[] {
  if (proxied === true && request.source === 'packet-source')
    return ['The packet reached the server from the address of the proxy: name yours with --allow-ip (-a).']
  if (spoofed === true && request.source === 'packet-source')
    return [
      'The packet asks to open the port for its source address, which is spoofed: name yours with --allow-ip (-a).',
    ]
  if (proxied === true || spoofed === true) return []
  const local = [...new Set(sent.flatMap(({ departure }) => (departure.ok ? [departure.value.localAddress] : [])))]
  if (request.source === 'packet-source')
    return [
      'The packet and the connection reach the server from different addresses (a provider’s shared NAT, several lines): then name the address with --allow-ip (-a).',
    ]
  if (local.includes(request.source)) return []
  return [
    `The knock asks to open the port for ${request.source}, but this host sends from ${local.join(', ')}. That works only if a NAT on the way changes one into the other.`,
  ]
}
