/** Between the fields of the wire and what they mean (docs/WIRE.md § 3–5). */
import { ok, type Result, refuse } from '../result.ts'
import { type Port, parsePort, seconds, unixSeconds } from '../units.ts'
import { parseAddress } from './address.ts'
import { CLOSE_TYPE, type MessageFields, type MessageType } from './fields.ts'
import type {
  AccessMessage,
  CloseMessage,
  CommandMessage,
  LocalNatMessage,
  Message,
  NatAccessMessage,
  NatTarget,
  ProtocolPort,
  RequestedSource,
} from './message.ts'
import { isHostName, parseNatHost } from './nat-target.ts'
import { formatProtocolPorts, parseProtocolPorts } from './protocol-port.ts'
import { isPerlEra } from './protocol-version.ts'
import { type PacketFailure, refuseByRule } from './strictness.ts'
import { parseUsername } from './username.ts'
import { MAX_NAT_HOST_LENGTH } from './wire-limits.ts'

type InvalidField = PacketFailure<'SPA_FIELD_INVALID'>

/** On the wire: “the address that the packet comes from”. */
const PACKET_SOURCE = '0.0.0.0'
/** In a closing knock: every port. */
const ALL_PORTS = 'all'

/** A message to be sent. It has no version of its own: the protocol that it is sealed for decides. */
export type OutgoingMessage =
  | Omit<CommandMessage, 'version'>
  | Omit<AccessMessage, 'version'>
  | Omit<NatAccessMessage, 'version'>
  | Omit<LocalNatMessage, 'version'>
  | Omit<CloseMessage, 'version'>

/**
 * Reads what a packet asks for.
 * @param fields as `parseFields` makes them.
 * @returns the message; `SPA_FIELD_INVALID` if the fields make no valid request.
 * @example
 * ```ts
 * import { parseFields, parseMessage } from 'ghostport/packet'
 *
 * const plaintext = '4711471147114711:YWRh:1795410748:3.0.0:1:MC4wLjAuMCx0Y3AvMjI:9Ocn+aWCH07zQc/laVgBXA'
 * const fields = parseFields(new TextEncoder().encode(plaintext))
 * if (!fields.ok) throw new Error(fields.failure.detail)
 * const message = parseMessage(fields.value)
 * console.log(message.ok && [message.value.kind, message.value.source]) // access,packet-source
 * const refused = parseMessage({ ...fields.value, message: 'tcp/22' })
 * console.log(refused.ok || refused.failure.code) // SPA_FIELD_INVALID
 * ```
 */
export function parseMessage(fields: MessageFields): Result<Message, PacketFailure<'SPA_FIELD_INVALID'>> {
  const username = parseUsername(fields.username)
  if (!username.ok) return invalid(username.failure.detail)
  const comma = fields.message.indexOf(',')
  if (comma < 0) return invalid('the message has no comma')
  const source = parseSource(fields.message.slice(0, comma))
  if (!source.ok) return source
  const header = {
    random: fields.randVal,
    username: username.value,
    timestamp: unixSeconds(fields.timestamp),
    version: fields.version,
    source: source.value,
    ...(fields.serverAuth === null ? {} : { serverAuth: fields.serverAuth }),
  }
  const request = fields.message.slice(comma + 1)
  if (fields.messageType === 0)
    return request === '' ? invalid('the command is empty') : ok({ kind: 'command', ...header, command: request })
  if (fields.messageType === CLOSE_TYPE && request === ALL_PORTS) return ok({ kind: 'close', ...header, ports: [] })

  const ports = parseProtocolPorts(request)
  if (!ports.ok) return invalid(ports.failure.detail)
  if (fields.messageType === CLOSE_TYPE) return ok({ kind: 'close', ...header, ports: ports.value })
  const access = {
    ...header,
    ports: ports.value,
    ...(fields.clientTimeout === 0 ? {} : { timeout: seconds(fields.clientTimeout) }),
  }
  if (fields.messageType === 1 || fields.messageType === 3) return ok({ kind: 'access', ...access })

  const nat = parseNat(fields.natAccess ?? '')
  if (!nat.ok) return nat
  // Up to 1.9.12, the message names the service and the NAT field the public port. Since 2.0 it is the other way round.
  const [first, ...others] = ports.value
  if (first === undefined) return invalid('the message names no port')
  const swapped = isPerlEra(fields.version)
  const translated = {
    ...access,
    ports: swapped ? [{ protocol: first.protocol, port: nat.value.port }, ...others] : ports.value,
  }
  const service = swapped ? first.port : nat.value.port
  if (fields.messageType === 5 || fields.messageType === 6)
    return ok({ kind: 'localNatAccess', ...translated, localPort: service, host: nat.value.host })
  const host = parseNatHost(nat.value.host)
  if (!host.ok) return { ok: false, failure: { ...host.failure, code: 'SPA_FIELD_INVALID' } }
  return ok({ kind: 'natAccess', ...translated, target: { host: host.value, port: service } })
}

/**
 * Writes a request as fields. The types allow some messages that cannot be sent, so `sealPacket` reads the fields back.
 */
export function encodeMessage(message: OutgoingMessage, version: string): MessageFields {
  const source = message.source === 'packet-source' ? PACKET_SOURCE : message.source
  const header = {
    randVal: message.random,
    username: message.username,
    timestamp: message.timestamp,
    version,
    natAccess: null,
    serverAuth: message.serverAuth ?? null,
    clientTimeout: 0,
  }
  if (message.kind === 'command') return { ...header, messageType: 0, message: `${source},${message.command}` }
  if (message.kind === 'close') {
    const ports = message.ports.length === 0 ? ALL_PORTS : formatProtocolPorts(message.ports)
    return { ...header, messageType: CLOSE_TYPE, message: `${source},${ports}` }
  }

  const clientTimeout = message.timeout ?? 0
  const timed = clientTimeout > 0
  const access = (type: MessageType, ports: readonly ProtocolPort[], natAccess: string | null): MessageFields => ({
    ...header,
    messageType: type,
    message: `${source},${formatProtocolPorts(ports)}`,
    natAccess,
    clientTimeout,
  })
  switch (message.kind) {
    case 'access':
      return access(timed ? 3 : 1, message.ports, null)
    case 'natAccess': {
      const { ports, natPort } = natOnWire(message.ports, message.target.port, version)
      return access(timed ? 4 : 2, ports, `${hostText(message.target)},${natPort}`)
    }
    case 'localNatAccess': {
      const { ports, natPort } = natOnWire(message.ports, message.localPort, version)
      return access(timed ? 6 : 5, ports, `${message.host},${natPort}`)
    }
    default:
      return message satisfies never
  }
}

/** @param service the port that the public port leads to. */
function natOnWire(asked: readonly ProtocolPort[], service: Port, version: string) {
  const [first, ...others] = asked
  if (!isPerlEra(version) || first === undefined) return { ports: asked, natPort: service }
  return { ports: [{ protocol: first.protocol, port: service }, ...others], natPort: first.port }
}

function hostText({ host }: NatTarget): string {
  return isHostName(host) ? host.name : host
}

function parseSource(text: string): Result<RequestedSource, InvalidField> {
  if (text === PACKET_SOURCE) return ok('packet-source')
  const address = parseAddress(text)
  // IPv6 only in canonical spelling, an extension (§ 5). `::` belongs to no host, and only `0.0.0.0` means “the
  // packet's source”.
  if (address.ok && address.value === text && text !== '::') return ok(address.value)
  return /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(text)
    ? refuseByRule('SPA_FIELD_INVALID', 'address-spelling', `“${text}” is not an address in canonical spelling`)
    : invalid('the message does not begin with an address')
}

const NAT_HOST = new RegExp(`^[\\x21-\\x7e]{1,${MAX_NAT_HOST_LENGTH}}$`)

/** `host,port`, in the characters that fwknopd accepts. */
function parseNat(text: string): Result<{ host: string; port: Port }, InvalidField> {
  const [host = '', portText = '', ...more] = text.split(',')
  if (more.length > 0 || !NAT_HOST.test(host) || /[/?"'\\]/.test(host))
    return invalid('the NAT target is not “host,port”')
  const port = parsePort(portText)
  return port.ok ? ok({ host, port: port.value }) : invalid(`the NAT target: ${port.failure.detail}`)
}

function invalid(detail: string) {
  return refuse('SPA_FIELD_INVALID', detail)
}
