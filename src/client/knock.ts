/** A knock: one sealed packet for each address of the server. Each packet has its own salt, random number and time. */

import type { Clock } from '../clock.ts'
import type { Transport } from '../config/client/layer.ts'
import type { Delivery, Departure, NotSent } from '../delivery/delivery.ts'
import type { AddressFamily, IpAddress } from '../packet/address.ts'
import { DEFAULT_DIGEST_TYPE, type DigestType } from '../packet/digest-type.ts'
import type { OutgoingMessage } from '../packet/message-fields.ts'
import { STANDARD_SPA_PORT } from '../packet/protocol-port.ts'
import { sealPacket } from '../packet/seal.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { milliseconds, type Port } from '../units.ts'
import type { Keys } from './keys.ts'
import { messageFor, type Request, randomDigits, randomPort } from './request.ts'
import type { Resolve } from './resolve.ts'

/** What making packets needs of the system. */
export interface SealWorld {
  readonly resolve: Resolve
  readonly clock: Clock
  /** @returns as many unpredictable bytes as asked for: `randomBytes` of `node:crypto`. */
  readonly randomBytes: (length: number) => Uint8Array
}

/** What a knock needs of the system. */
export interface KnockWorld extends SealWorld {
  readonly delivery: Delivery
}

/** A packet and its destination. */
export interface SealedKnock {
  /** Of the server, or of the proxy that passes the packet on. */
  readonly address: IpAddress
  /** The port there. ICMP has none: then it has no effect. */
  readonly port: Port
  readonly message: OutgoingMessage
  /** What goes over the wire: ASCII. */
  readonly text: string
}

/** A packet and what became of it. */
export interface SentKnock extends SealedKnock {
  readonly departure: Result<Departure, NotSent>
}

/** What is asked for, from which server, and with which keys. */
export interface KnockPlan {
  readonly request: Request
  readonly keys: Keys
  /** A name or an address. */
  readonly server: string
  readonly settings: PacketSettings
}

/** How packets are made and addressed. */
export interface PacketSettings {
  /** Only to addresses of this family. */
  readonly family?: AddressFamily
  /** How packets leave, for messages (`udp` where absent). The delivery of a {@link KnockWorld} sends them. */
  readonly transport?: Transport
  /** Packets go to the addresses of this proxy, and not to those of the server. */
  readonly proxy?: { readonly host: string; readonly port: Port }
  /** Packets go by this gateway, which brings receipts. `proxy` says where they are addressed to. */
  readonly gateway?: { readonly host: string }
  /** The source address in the packets, if it is not one of this host. */
  readonly spoofedSource?: IpAddress
  /** The port to send to (62201 where absent). */
  readonly serverPort?: Port
  /** A new port from 10000 to 65534 for each packet, in place of `serverPort`. */
  readonly randomPort?: boolean
  /** The digest of the message (sha256 where absent). */
  readonly digestType?: DigestType
  /** The protocol that the packets speak: `1.9.12`, or the current one where absent. */
  readonly protocol?: string
}

/**
 * Makes the packets and sends nothing.
 * @param plan what is asked for, of whom, and with which keys.
 * @param world what resolves the server's name, tells the time and makes random bytes.
 * @returns one packet for each address of the server; `NAME_UNRESOLVED`; `SPA_MESSAGE_INVALID` where the message does
 * not fit a packet; `KEY_INVALID` for keys that may not be used so; `GNUPG_FAILED`.
 * @example
 * ```ts
 * import { randomBytes } from 'node:crypto'
 * import { buildRequest, type Keys, port, sealKnock, systemClock, systemResolve } from 'ghostport'
 * import { EncryptionKey, parseKeyText, parseUsername } from 'ghostport/packet'
 *
 * const username = parseUsername('ada')
 * const key = parseKeyText(EncryptionKey, 'a key that both ends know')
 * if (!username.ok || !key.ok) throw new Error('not usable')
 * const request = buildRequest(
 *   { access: [{ protocol: 'tcp', port: port(22) }], allow: 'packet-source' },
 *   { username, random: 0 },
 * )
 * if (!request.ok) throw new Error(request.failure.detail)
 * const keys: Keys = { encryption: { kind: 'symmetric', key: key.value, mode: 'CBC' } }
 * const plan = { request: request.value, keys, server: '192.0.2.10', settings: {} }
 * const sealed = await sealKnock(plan, { resolve: systemResolve, clock: systemClock, randomBytes })
 * if (!sealed.ok) throw new Error(sealed.failure.detail)
 * console.log(sealed.value.map(({ address, port }) => `${address} ${port}`)) // 192.0.2.10 62201
 * ```
 */
export async function sealKnock(plan: KnockPlan, world: SealWorld): Promise<Result<readonly SealedKnock[], Failure>> {
  const { proxy, family } = plan.settings
  const addresses = await (proxy === undefined ? world.resolve(plan.server, family) : world.resolve(proxy.host))
  return addresses.ok ? await sealFor(addresses.value, plan, world) : addresses
}

/** {@link sealKnock}, for addresses that are known. */
export async function sealFor(
  addresses: readonly IpAddress[],
  plan: KnockPlan,
  world: Omit<SealWorld, 'resolve'>,
): Promise<Result<readonly SealedKnock[], Failure>> {
  const { proxy, ...settings } = plan.settings
  const serverPort = proxy?.port ?? settings.serverPort ?? STANDARD_SPA_PORT
  const sealed: SealedKnock[] = []
  for (const address of addresses) {
    const message = messageFor(plan.request, {
      destination: address,
      random: randomDigits(world.randomBytes(8)),
      now: world.clock.now(),
    })
    const packet = await seal(message, plan, world)
    if (!packet.ok) return packet
    const spaPort = settings.randomPort === true ? randomPort(readUint16(world.randomBytes(2))) : serverPort
    sealed.push({ address, port: spaPort, message, text: packet.value })
  }
  return ok(sealed)
}

async function seal(
  message: OutgoingMessage,
  { keys, settings }: KnockPlan,
  { randomBytes }: Pick<SealWorld, 'randomBytes'>,
): Promise<Result<string, Failure>> {
  const { digestType = DEFAULT_DIGEST_TYPE, protocol } = settings
  const { encryption, hmac } = keys
  switch (encryption.kind) {
    case 'symmetric':
      return sealPacket(
        message,
        { encryption, ...(hmac && { hmac }) },
        { digestType, salt: randomBytes(8), ...(protocol !== undefined && { protocol }) },
      )
    case 'gnupg': {
      const { sealByGnupg } = await import('./seal-by-gnupg.ts')
      return sealByGnupg(message, encryption, { digestType, hmac })
    }
    default:
      return encryption satisfies never
  }
}

/**
 * Sends what {@link sealKnock} made.
 * @param packets each goes to its own address and port.
 * @param delivery how they leave.
 * @param signal ends connections that are not made yet.
 * @returns what became of each packet; `SEND_FAILED` where none of them left.
 * @example
 * ```ts
 * import { randomBytes } from 'node:crypto'
 * import { buildRequest, type Keys, port, sealKnock, systemClock, systemResolve } from 'ghostport'
 * import { memoryDelivery, sendKnock } from 'ghostport'
 * import { EncryptionKey, parseKeyText, parseUsername } from 'ghostport/packet'
 *
 * const username = parseUsername('ada')
 * const key = parseKeyText(EncryptionKey, 'a key that both ends know')
 * if (!username.ok || !key.ok) throw new Error('not usable')
 * const request = buildRequest(
 *   { access: [{ protocol: 'tcp', port: port(22) }], allow: 'packet-source' },
 *   { username, random: 0 },
 * )
 * if (!request.ok) throw new Error(request.failure.detail)
 * const keys: Keys = { encryption: { kind: 'symmetric', key: key.value, mode: 'CBC' } }
 * const plan = { request: request.value, keys, server: '192.0.2.10', settings: {} }
 * const sealed = await sealKnock(plan, { resolve: systemResolve, clock: systemClock, randomBytes })
 * if (!sealed.ok) throw new Error(sealed.failure.detail)
 * const delivery = memoryDelivery()
 * const sent = await sendKnock(sealed.value, delivery)
 * console.log(sent.ok && sent.value.map(({ departure }) => departure.ok)) // true
 * console.log(delivery.packets.length) // 1
 * ```
 */
export async function sendKnock(
  packets: readonly SealedKnock[],
  delivery: Delivery,
  signal?: AbortSignal,
): Promise<Result<readonly SentKnock[], NotSent>> {
  const sent = await sendEach(packets, delivery, signal)
  const failures = sent.flatMap(({ departure }) => (departure.ok ? [] : [departure.failure]))
  if (failures.length < sent.length) return ok(sent)
  const suggestion = failures.find((it) => it.suggestion !== undefined)?.suggestion
  const more = suggestion === undefined ? {} : { suggestion }
  const { failure } = refuse('SEND_FAILED', failures.map(({ detail }) => detail).join('; '), more)
  return { ok: false, failure: failures.some(({ unclear }) => unclear) ? { ...failure, unclear: true } : failure }
}

/** How much longer the others may take once one packet has left: one address may swallow all connections. */
const GRACE = milliseconds(1_000)

/** @returns what became of each packet, also if none of them left. */
export async function sendEach(
  packets: readonly SealedKnock[],
  delivery: Delivery,
  signal?: AbortSignal,
): Promise<readonly SentKnock[]> {
  const late = new AbortController()
  const end = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
  let grace: NodeJS.Timeout | undefined
  const sending = packets.map(async (packet) => {
    const departure = await delivery.send(packet, end)
    if (departure.ok) grace ??= setTimeout(() => late.abort(`no connection within ${GRACE / 1000} s of another`), GRACE)
    return { ...packet, departure }
  })
  try {
    return await Promise.all(sending)
  } finally {
    clearTimeout(grace)
  }
}

export function readUint16(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
}
