/** `ghostport knock` as one call for programs: the same plan and the same steps, and the result is a value. */
import { bytesFromText } from '../bytes/text.ts'
import { nearest } from '../config/reading/nearest.ts'
import type { IpAddress } from '../packet/address.ts'
import { formatProtocolPorts } from '../packet/protocol-port.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import type { Milliseconds, Port, UnixSeconds } from '../units.ts'
import { keyMissing } from './key-missing.ts'
import type { AskSecret } from './keys.ts'
import type { KnockWorld, SentKnock } from './knock.ts'
import { aborted, type PerformFailure, performKnock, unlessAborted } from './perform.ts'
import { type PlannedKnock, planKnock } from './plan.ts'
import { type PlanOptions, refuseTogether } from './plan-options.ts'
import type { OpenSign } from './wait.ts'
import { doorFor, parseWait, type WaitOptions, waitWithoutEffect } from './wait-plan.ts'

/** The options of {@link knock}: the long options of `ghostport knock`, and some that only a program can give. */
export interface KnockOptions extends PlanOptions, WaitOptions {
  /**
   * The argument of the command: the stanza of the rc file with this name, else the only one with this `SPA_SERVER`.
   */
  readonly stanza?: string
  /** After the knock, try the port until it opens. */
  readonly wait?: boolean
  /**
   * Called for a required key that nothing names. Without it, such a key is `KEY_MISSING`.
   * @param what for a prompt: `Encryption key for host.example`.
   * @returns the key, as text or bytes; undefined if there is none.
   */
  readonly askSecret?: (what: string) => Promise<string | Uint8Array | undefined>
  /** Ends the knock with `ABORTED`. */
  readonly signal?: AbortSignal
}

/** A knock that was sent. */
export interface KnockResult {
  /** The name that the options gave it. */
  readonly server: string
  /** What was asked for: `tcp/22`; with NAT, the public port. Empty for a command, and for a close of all. */
  readonly ports: readonly string[]
  /** The address of this host that was asked for, as servers outside see it. Only where an option asked for it. */
  readonly ownAddress?: IpAddress
  /** Whether the packets carry an HMAC. Without one, an attacker who records a packet can try to change it. */
  readonly hmac: boolean
  /** One for each knock and address of the server, in order; at least one of the first knock left. */
  readonly packets: readonly KnockPacket[]
  /** Only with `wait`. */
  readonly open?: OpenPort
}

/** One packet, and what became of it. */
export interface KnockPacket {
  /** Its destination address; that of the proxy, if one passes it on. */
  readonly address: IpAddress
  /** Its destination port; of the proxy, if one passes it on. */
  readonly port: Port
  /** The time in the packet. */
  readonly timestamp: UnixSeconds
  /** Whether it left this host. It may still not arrive. */
  readonly sent: boolean
  /** The address of this host that it left from. */
  readonly localAddress?: IpAddress
  /** Why it did not leave. */
  readonly error?: string
}

/** The port that was waited for. */
export interface OpenPort {
  readonly address: IpAddress
  readonly port: Port
  /** How it was seen: the port accepted a connection, or the service behind it sent something first. */
  readonly sign: OpenSign
  /** It was open before the knock, so it is not known whether the server granted anything. */
  readonly already: boolean
  /** From the knock to the open port; 0 where it was open before. */
  readonly after: Milliseconds
}

/** Why a knock failed. */
export interface KnockFailure extends Failure {
  /** For `PORT_NOT_OPEN`: the likely causes, the likeliest first, each a sentence or two. Else empty. */
  readonly causes: readonly string[]
  /** The packets that were sent before the failure. */
  readonly packets: readonly KnockPacket[]
}

/** What each option must be, for callers without a type checker. */
const kinds = {
  text: { words: 'a text', fits: (value: unknown) => typeof value === 'string' },
  texts: {
    words: 'a text, or a list of texts',
    fits: (value: unknown) => [value].flat().every((it) => typeof it === 'string'),
  },
  number: {
    words: 'a number, or a text',
    fits: (value: unknown) => typeof value === 'number' || typeof value === 'string',
  },
  key: {
    words: 'a text, or bytes',
    fits: (value: unknown) => typeof value === 'string' || value instanceof Uint8Array,
  },
  flag: { words: 'true or false', fits: (value: unknown) => typeof value === 'boolean' },
  callback: { words: 'a function', fits: (value: unknown) => typeof value === 'function' },
  signal: { words: 'an AbortSignal', fits: (value: unknown) => value instanceof AbortSignal },
} as const

const optionKinds: Readonly<Record<keyof KnockOptions, keyof typeof kinds>> = {
  stanza: 'text',
  destination: 'text',
  access: 'texts',
  'allow-ip': 'text',
  'source-ip': 'flag',
  'resolve-ip-https': 'flag',
  'resolve-http-only': 'flag',
  'resolve-url': 'text',
  'resolve-dns': 'text',
  'fw-timeout': 'number',
  'server-proto': 'text',
  'http-proxy': 'text',
  'http-proxy-user': 'text',
  'http-proxy-password-file': 'text',
  'http-proxy-password': 'text',
  'https-ca-file': 'text',
  gateway: 'text',
  'gateway-target': 'text',
  'gateway-fingerprint': 'text',
  'user-agent': 'text',
  'spoof-source': 'text',
  'icmp-type': 'number',
  'icmp-code': 'number',
  'server-port': 'number',
  'rand-port': 'flag',
  'source-port': 'number',
  ipv4: 'flag',
  ipv6: 'flag',
  'nat-access': 'text',
  'nat-local': 'flag',
  'nat-port': 'number',
  'nat-rand-port': 'flag',
  'server-cmd': 'text',
  close: 'flag',
  'named-config': 'text',
  'rc-file': 'text',
  'no-rc-file': 'flag',
  'no-home-dir': 'flag',
  'get-key': 'text',
  'get-hmac-key': 'text',
  'key-base64-rijndael': 'text',
  'key-rijndael': 'key',
  'key-base64-hmac': 'text',
  'key-hmac': 'key',
  'use-hmac': 'flag',
  'hmac-digest-type': 'text',
  'digest-type': 'text',
  'encryption-mode': 'text',
  'gpg-encryption': 'flag',
  'gpg-recipient-key': 'text',
  'gpg-signer-key': 'text',
  'gpg-home-dir': 'text',
  'gpg-exe': 'text',
  'gpg-agent': 'flag',
  'gpg-no-signing-pw': 'flag',
  'spoof-user': 'text',
  'time-offset-plus': 'number',
  'time-offset-minus': 'number',
  wait: 'flag',
  knocks: 'number',
  'wait-limit': 'number',
  'wait-for': 'text',
  askSecret: 'callback',
  signal: 'signal',
}

/** The names of {@link KnockOptions}. */
export const knockOptionNames: readonly string[] = Object.keys(optionKinds)

/**
 * Asks a server to open a port, as `ghostport knock` does: settings come from the rc file (`~/.fwknoprc`), and over
 * it from `options`. One packet goes to each address of the server. Nothing comes back, whether the server opens or
 * not; with `wait`, the port is tried until it opens. Prints nothing and reads no terminal. A detail names an option
 * as the command does: `--nat-port` is the option `nat-port`.
 *
 * @param options what is asked for, of whom, and with which keys. Ports are 1 to 65535, times are in seconds.
 * @param world what takes the place of the system: of its resolver, UDP, clock or random numbers.
 * @returns what was sent, and where the port is open; or
 * - `CLI_USAGE`, `VALUE_INVALID`: an option that is none, is missing, cannot be read, or contradicts another;
 * - `CONFIG_UNREADABLE`, `CONFIG_EXPOSED`, `CONFIG_SYNTAX`, `CONFIG_UNKNOWN_KEY`, `CONFIG_UNSUPPORTED_KEY`,
 *   `CONFIG_INVALID_VALUE`, `CONFIG_MISSING_KEY`, `CONFIG_CONFLICT`: the rc file or a key file, or its line;
 * - `KEY_MISSING`, `KEY_INVALID`: a key;
 * - `SPA_MESSAGE_INVALID`: the message does not fit a packet;
 * - `OWN_ADDRESS_UNKNOWN`: no two services agree on the address of this host;
 * - `NAME_UNRESOLVED`, `SEND_FAILED`: nothing left this host;
 * - `PORT_NOT_OPEN`: the packets left, and the port stayed shut (only with `wait`); `causes` says why that may be;
 * - `ABORTED`: the signal came first.
 *
 * Rejects only with what `askSecret` or `world` throws.
 * @example
 * ```ts
 * import { knock, memoryDelivery } from 'ghostport'
 *
 * const options = {
 *   destination: '192.0.2.10',
 *   access: 'tcp/22',
 *   'source-ip': true,
 *   'no-rc-file': true,
 *   'key-rijndael': 'a key that both ends know',
 *   'key-hmac': 'another one',
 * }
 * const knocked = await knock(options, { delivery: memoryDelivery() }) // without it: by UDP
 * if (!knocked.ok) throw new Error(knocked.failure.detail)
 * console.log(knocked.value.packets.map(({ address, port }) => `${address} ${port}`)) // 192.0.2.10 62201
 *
 * const refused = await knock({ ...options, access: 'tcp/80000' })
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * console.log(refused.ok || refused.failure.detail.split(':')[0]) // --access
 * ```
 */
export async function knock(
  options: KnockOptions,
  world: Partial<KnockWorld> = {},
): Promise<Result<KnockResult, KnockFailure>> {
  const usage = judgeOptions(options)
  if (!usage.ok) return failed(usage.failure)
  const { stanza, signal } = options
  const wish = parseWait(options)
  if (!wish.ok) return failed(wish.failure)

  const hints = stanza === undefined ? {} : { stanza: { word: stanza, required: true } }
  const planning = await unlessAborted(() => planKnock(options, secretsFrom(options), hints), signal)
  if (planning === undefined) return told(aborted().failure)
  if (!planning.ok) return failed(planning.failure)
  const planned = { ...planning.value, world: { ...planning.value.world, ...world } }
  const wait = options.wait === true ? doorFor(planned.plan, wish.value) : ok(undefined)
  if (!wait.ok) return failed(wait.failure)

  const performed = await performKnock(planned, { wait: wait.value, signal })
  if (!performed.ok) return told(performed.failure)
  const { sent, opened } = performed.value
  const result = { ...about(planned), packets: sent.map(packetOf) }
  if (opened === undefined || wait.value === undefined) return ok(result)
  opened.socket.destroy()
  const { address, already, after } = opened
  const { port, sign } = wait.value
  return ok({ ...result, open: { address, port, sign, already, after } })
}

function judgeOptions(options: KnockOptions): Result<void, Failure<'CLI_USAGE' | 'VALUE_INVALID'>> {
  for (const [name, value] of Object.entries(options)) {
    if (!isOption(name)) {
      const meant = nearest(name, knockOptionNames)
      return refuse('CLI_USAGE', `there is no option “${name}”`, meant === undefined ? {} : { suggestion: meant })
    }
    const { words, fits } = kinds[optionKinds[name]]
    if (value !== undefined && !fits(value)) return refuse('VALUE_INVALID', `--${name}: it has to be ${words}`)
  }
  if (options.stanza !== undefined && options['named-config'] !== undefined)
    return refuseTogether(['stanza', 'named-config'])
  return options.wait === true ? ok(undefined) : waitWithoutEffect(options)
}

function isOption(name: string): name is keyof KnockOptions {
  return Object.hasOwn(optionKinds, name)
}

function secretsFrom({ askSecret }: KnockOptions): AskSecret {
  return async (what, option) => {
    const secret = await askSecret?.(what)
    if (secret === undefined || secret.length === 0) return keyMissing.notGiven(what, option)
    if (typeof secret !== 'string') return ok(secret)
    const bytes = bytesFromText(secret)
    return bytes === undefined ? refuse('KEY_INVALID', `${what}: it holds half of a surrogate pair`) : ok(bytes)
  }
}

function about({ plan, ownAddress }: PlannedKnock): Omit<KnockResult, 'packets'> {
  const { request, server, keys } = plan
  const ports = request.kind === 'command' ? [] : request.ports.map((it) => formatProtocolPorts([it]))
  const own = ownAddress === undefined ? {} : { ownAddress: ownAddress.address }
  return { server, ports, hmac: keys.hmac !== undefined, ...own }
}

function packetOf({ address, port, message, departure }: SentKnock): KnockPacket {
  const packet = { address, port, timestamp: message.timestamp, sent: departure.ok }
  return departure.ok
    ? { ...packet, localAddress: departure.value.localAddress }
    : { ...packet, error: departure.failure.detail }
}

function failed(failure: Failure): Refused<KnockFailure> {
  return { ok: false, failure: { ...failure, causes: [], packets: [] } }
}

function told({ sent, ...failure }: PerformFailure): Refused<KnockFailure> {
  return { ok: false, failure: { ...failure, packets: sent.map(packetOf) } }
}
