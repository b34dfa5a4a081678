/** What `ghostport knock` tells a person: what was asked for, where it went, and, with `-T`, all but the keys. */
import type { KnockPlan, PacketSettings, SealedKnock, SentKnock } from '../../client/knock.ts'
import type { PerformFailure } from '../../client/perform.ts'
import type { Request } from '../../client/request.ts'
import { protocolOf } from '../../client/route.ts'
import type { OpenDoor } from '../../client/wait.ts'
import type { Departure } from '../../delivery/delivery.ts'
import { describeTarget } from '../../delivery/explain-error.ts'
import { formatHostPort, type IpAddress } from '../../packet/address.ts'
import { DEFAULT_DIGEST_TYPE } from '../../packet/digest-type.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { isHostName } from '../../packet/nat-target.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import type { Receipt } from '../../packet/receipt.ts'
import type { Failure } from '../../result.ts'
import type { Port } from '../../units.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** `tcp/80 → 10.0.0.5:22 for 203.0.113.7, 30 s`. */
function describeRequest(request: Request): string {
  const whom = request.source === 'packet-source' ? 'the address it arrives from' : request.source
  if (request.kind === 'command') return `command “${request.command}” for ${whom}`
  if (request.kind === 'close') return `${closedPorts(request.ports)} for ${whom}, to be closed`
  const time = request.timeout === undefined ? '' : `, ${request.timeout} s`
  return `${formatProtocolPorts(request.ports)}${describeNat(request)} for ${whom}${time}`
}

function closedPorts(ports: readonly ProtocolPort[]): string {
  return ports.length === 0 ? 'every port' : formatProtocolPorts(ports)
}

function describeNat(request: Request): string {
  if (request.kind === 'natAccess') {
    const { host, port } = request.target
    return ` → ${formatHostPort(isHostName(host) ? host.name : host, port)}`
  }
  return request.kind === 'localNatAccess' ? ` → its own port ${request.localPort}` : ''
}

/**
 * A line for each packet: sent, or why not.
 * @param number which knock it is; 1 for the first.
 */
export function departures(
  { request, settings }: KnockPlan,
  sent: readonly SentKnock[],
  number: number,
): readonly string[] {
  const which = number === 1 ? '' : `knock ${number}: `
  return sent.map(({ address, port, departure }) =>
    departure.ok
      ? `${which}sent to ${describeWay(settings, address, port)}${answer(departure.value)}: ${describeRequest(request)}`
      : `${which}not sent to ${departure.failure.detail}`,
  )
}

/** `192.0.2.1 port 62201/udp`, `the proxy 10.0.0.1 port 3128/tcp by http`, `192.0.2.1 by icmp`. */
function describeWay({ transport = 'udp', proxy, gateway }: PacketSettings, address: IpAddress, port: Port): string {
  const protocol = protocolOf(transport)
  const where = {
    address,
    protocol,
    ...(protocol === 'icmp' ? {} : { port }),
    ...(proxy === undefined ? {} : { role: proxy.host === gateway?.host ? 'the gateway' : 'the proxy' }),
  }
  return `${describeTarget(where)}${transport === protocol ? '' : ` by ${transport}`}`
}

function answer({ httpStatus }: Departure): string {
  return httpStatus === undefined ? '' : `, which answered ${httpStatus}`
}

/** Says that another gateway is tried. */
export function nextGatewayNote(terminal: Pick<Terminal, 'note'>) {
  return ({ detail }: Failure, { settings }: KnockPlan): void =>
    terminal.note(`ghostport: ${detail}. The next gateway is tried: ${settings.gateway?.host}`)
}

/** What the server says, where a gateway brought it. @param receipt undefined: it brought none that is authentic. */
export function describeReceipt(
  receipt: Receipt | undefined,
  request: Pick<Request, 'kind'>,
  { good }: Pick<Style, 'good'>,
): Line {
  switch (receipt?.verdict) {
    case undefined:
      if (request.kind === 'close')
        return 'no receipt of the server came: whether the port closed is not known. It closes at its time in any case'
      return 'no receipt of the server came: whether the port opened is not known. --wait tries the port'
    case 'open':
      return line`${good('open')} until ${new Date(receipt.until * 1000).toISOString()}, as the server says`
    case 'done':
      return line`${good('done')}: the server runs the command, as it says`
    case 'closed':
      return line`${good('closed')}, as the server says`
    case 'refused':
      return `refused, as the server says: ${receipt.code}`
    default:
      return receipt satisfies never
  }
}

/** How the wait ended well. A port that was open before says nothing about the knock. */
export function describeOpening(
  { already, after, address }: OpenDoor,
  port: Port,
  { good }: Pick<Style, 'good'>,
): Line {
  const where = `${address} port ${port}`
  if (already) return line`was ${good('open')} already: ${where}; whether the knock was granted cannot be seen`
  return line`${good('open')} after ${after < 10 ? after.toFixed(1) : after.toFixed(0)} ms: ${where}`
}

/** What `-T` shows, the packets themselves among it. */
export function testReport(plan: KnockPlan, sealed: readonly SealedKnock[], style: Style): readonly Line[] {
  const texts = sealed.flatMap(({ text }) => ['', text])
  return [...fieldReport(plan, sealed), ...texts, '', style.bold('Nothing was sent.')]
}

/** What `-v` shows: all that the packets say. A key shows as `[secret]`. */
export function fieldReport(
  { request, keys, settings, server }: KnockPlan,
  sealed: readonly SealedKnock[],
): readonly string[] {
  const row = (name: string, value: string): string => `${name.padEnd(16)}${value}`
  const { hmac, encryption } = keys
  const common = [
    row('server', server),
    row('asks for', describeRequest(request)),
    row('user name', request.username),
    ...encryptionRows(encryption).map(([name, value]) => row(name, value)),
    row('HMAC', hmac === undefined ? 'none' : `${hmac.type}, key ${hmac.key}`),
    row('digest', settings.digestType ?? DEFAULT_DIGEST_TYPE),
  ]
  const each = sealed.flatMap(({ address, port, message, text }) => [
    '',
    row('for', describeWay(settings, address, port)),
    row('random', message.random),
    row('time', `${message.timestamp} (${new Date(message.timestamp * 1000).toISOString()})`),
    ...(message.kind === 'localNatAccess' ? [row('NAT field', `${message.host},${message.localPort}`)] : []),
    row('characters', String(text.length)),
  ])
  return [...common, ...each]
}

function encryptionRows(encryption: KnockPlan['keys']['encryption']): readonly (readonly [string, string])[] {
  switch (encryption.kind) {
    case 'symmetric':
      return [['encryption', `${encryption.mode}, key ${encryption.key}`]]
    case 'gnupg':
      return [
        ['encryption', `GnuPG, for ${encryption.recipient}`],
        ['signed by', encryption.signer ?? 'nobody'],
        ['keyring', encryption.home],
      ]
    default:
      return encryption satisfies never
  }
}

/** The failure, and its likely causes. @returns the exit status for it. */
export function noteFailure(failure: PerformFailure, terminal: Terminal): number {
  const status = terminal.fail(failure)
  for (const cause of failure.causes) terminal.note(`  - ${cause}`)
  return status
}
