/**
 * From settings to the message: what is asked for. Pure; the message is finished for each packet with its own random
 * number, time and destination.
 */
import { isUnicode } from '../bytes/text.ts'
import type { ClientSettings } from '../config/client/layer.ts'
import type { IpAddress } from '../packet/address.ts'
import type { HostName, NatTarget, ProtocolPort, RequestedSource, Username } from '../packet/message.ts'
import type { OutgoingMessage } from '../packet/message-fields.ts'
import { isHostName } from '../packet/nat-target.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Port, port, type Seconds, type UnixSeconds, unixSeconds } from '../units.ts'

/** All parts of a message that are the same in each packet of one knock. */
export type Request = {
  readonly source: RequestedSource
  readonly username: Username
  /** Added to the clock, in seconds. */
  readonly timeOffset: number
} & (
  | { readonly kind: 'command'; readonly command: string }
  /** End what was opened, at these ports; empty: at all (docs/WIRE.md § 18). */
  | { readonly kind: 'close'; readonly ports: readonly ProtocolPort[] }
  | ({ readonly kind: 'access' } & RequestedPorts)
  | ({ readonly kind: 'natAccess'; readonly target: NatTarget } & RequestedPorts)
  /** `host` absent: the address that the packet is sent to. */
  | ({
      readonly kind: 'localNatAccess'
      readonly localPort: Port
      readonly host?: IpAddress | HostName
    } & RequestedPorts)
)
/** What is asked for, of requests that name ports. */
export interface RequestedPorts {
  /** At least one; for NAT exactly one, the public port. */
  readonly ports: readonly ProtocolPort[]
  readonly timeout?: Seconds
}

/** What counts for a request besides the settings. */
export interface RequestContext {
  /** The user name to use if the settings have none. */
  readonly username: Result<Username, Failure>
  /** 16 random bits. */
  readonly random: number
  /** A command for the server to run, in place of ports. */
  readonly command?: string
  /** To close what the settings would open. */
  readonly close?: boolean
}

/** Why there is no request. */
export type RequestFailure = Failure<'CLI_USAGE' | 'CONFIG_CONFLICT' | 'VALUE_INVALID'>

/**
 * Puts settings together to what is asked for.
 * @param settings times in seconds, ports 1 to 65535.
 * @param context what counts besides the settings.
 * @returns the request; `CLI_USAGE` for what it lacks; `CONFIG_CONFLICT` where its parts contradict each other;
 * `VALUE_INVALID` for a user name or a command that cannot be sent. Details name options of the command line.
 * @example
 * ```ts
 * import { buildRequest, port } from 'ghostport'
 * import { parseUsername } from 'ghostport/packet'
 *
 * const context = { username: parseUsername('ada'), random: 0 }
 * const access = [{ protocol: 'tcp', port: port(22) }] as const
 * const request = buildRequest({ access, allow: 'packet-source', natLocal: true, natPort: port(80) }, context)
 * console.log(request.ok && request.value.kind) // localNatAccess
 *
 * const refused = buildRequest({ access }, context)
 * console.log(refused.ok || refused.failure.code) // CLI_USAGE
 * ```
 */
export function buildRequest(settings: ClientSettings, context: RequestContext): Result<Request, RequestFailure> {
  const username = settings.username === undefined ? context.username : ok(settings.username)
  if (!username.ok)
    return refuse('VALUE_INVALID', `your user name cannot be sent: ${username.failure.detail}`, {
      suggestion: '--spoof-user NAME',
    })
  const { allow: source, timeOffset = 0, timeout, access: ports } = settings
  const header = { username: username.value, timeOffset }

  if (context.command !== undefined) {
    if (ports !== undefined || settings.natAccess !== undefined || settings.natLocal === true)
      return refuse(
        'CLI_USAGE',
        'a command (--server-cmd) and ports (--access, --nat-access, --nat-local) cannot be asked for in one knock',
      )
    if (source === undefined) return noSource()
    if (!isUnicode(context.command))
      return refuse('VALUE_INVALID', 'the command (--server-cmd) is not UTF-8, and packets carry only UTF-8')
    return ok({ ...header, source, kind: 'command', command: context.command })
  }
  if (source === undefined) return noSource()
  if (context.close === true) return ok({ ...header, source, kind: 'close', ports: publicPorts(settings) })
  if (ports === undefined) return refuse('CLI_USAGE', 'say what to open: --access tcp/22 (-A)')
  // To fwknop's users, 0 means “the server decides”. On the wire that is the message without a timeout.
  const asked = { ...header, source, ...(timeout === undefined || timeout === 0 ? {} : { timeout }) }

  const nat = settings.natLocal === true ? 'local' : settings.natAccess === undefined ? 'none' : 'forward'
  const other = settings.natRandomPort === true ? 'random' : settings.natPort
  if (nat === 'none') {
    if (other !== undefined)
      return refuse(
        'CONFIG_CONFLICT',
        'a NAT port has no effect without NAT: add --nat-access HOST (-N) or --nat-local',
      )
    return ok({ ...asked, kind: 'access', ports })
  }

  const [wanted, second] = ports
  if (wanted === undefined || second !== undefined)
    return refuse('CONFIG_CONFLICT', 'NAT forwards one port only: ask for one port with --access (-A)')
  const publicPort = other === undefined ? wanted.port : other === 'random' ? randomPort(context.random) : other
  const openings = { ...asked, ports: [{ protocol: wanted.protocol, port: publicPort }] }
  // --access names the port of the service. NAT only changes the port where clients reach it.
  const servicePort = settings.natAccess?.port ?? wanted.port
  const host = settings.natAccess?.host
  if (nat === 'local')
    return ok({ ...openings, kind: 'localNatAccess', localPort: servicePort, ...(host === undefined ? {} : { host }) })
  if (host === undefined) return refuse('CLI_USAGE', '--nat-access (-N) needs a host')
  return ok({ ...openings, kind: 'natAccess', target: { host, port: servicePort } })
}

/** What the settings would open, as the client reaches it. Empty: all, also where the port was random. */
function publicPorts(settings: ClientSettings): readonly ProtocolPort[] {
  const { access = [], natLocal, natAccess, natPort, natRandomPort } = settings
  const isNat = natLocal === true || natAccess !== undefined
  if (!isNat) return access
  if (natRandomPort === true) return []
  return natPort === undefined ? access : access.map(({ protocol }) => ({ protocol, port: natPort }))
}

/** 10000–65534, as in fwknop. The port is no secret, so the slight bias of the remainder is harmless. */
export function randomPort(random: number): Port {
  return port(10_000 + (random % 55_535))
}

/**
 * The digits that open each message (docs/WIRE.md § 2).
 *
 * @param bytes 8 random bytes.
 * @returns 16 decimal digits. Their slight bias is harmless: fwknop makes them of 32 random bits; what makes a packet
 * unlike any other is its salt.
 */
export function randomDigits(bytes: Uint8Array): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return (value % 10n ** 16n).toString().padStart(16, '0')
}

/**
 * The port to connect to once the door is open: with NAT, the public one.
 * @param request as {@link buildRequest} makes it.
 * @returns the port, and whether NAT leads it elsewhere; undefined for a command, a close, or where only UDP was asked.
 * @example
 * ```ts
 * import { buildRequest, doorOf, port } from 'ghostport'
 * import { parseUsername } from 'ghostport/packet'
 *
 * const request = buildRequest(
 *   { access: [{ protocol: 'tcp', port: port(22) }], allow: 'packet-source' },
 *   { username: parseUsername('ada'), random: 0 },
 * )
 * console.log(request.ok && doorOf(request.value)?.port) // 22
 * ```
 */
export function doorOf(request: Request): { readonly port: Port; readonly throughNat: boolean } | undefined {
  if (request.kind === 'command' || request.kind === 'close') return undefined
  const tcp = request.ports.find(({ protocol }) => protocol === 'tcp')
  return tcp === undefined ? undefined : { port: tcp.port, throughNat: request.kind !== 'access' }
}

export interface MessageContext {
  /** Where this packet is sent. */
  readonly destination: string
  /** 16 decimal digits. */
  readonly random: string
  readonly now: UnixSeconds
}

/** One packet's message. */
export function messageFor(request: Request, { destination, random, now }: MessageContext): OutgoingMessage {
  const { timeOffset, ...rest } = request
  const header = { random, timestamp: unixSeconds(Math.max(0, now + timeOffset)) }
  if (rest.kind !== 'localNatAccess') return { ...rest, ...header }
  const { host = destination, ...local } = rest
  // fwknop sends the server's name as typed. fwknopd resolves it on its side, and may get another host's address.
  return { ...local, ...header, host: typeof host === 'string' ? host : isHostName(host) ? host.name : host }
}

/** The detail of the failure where nothing says for whom to open. */
export const NO_SOURCE =
  'say for whom to open: --allow-ip ADDRESS (-a), --source-ip (-s) for the address that the packet comes from, or --resolve-ip-https (-R) to ask web services for your address'

function noSource() {
  return refuse('CLI_USAGE', NO_SOURCE)
}
