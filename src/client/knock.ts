/** A knock: one sealed packet for each address of the server, each with a salt, a random number and a time of its own. */

import type { Clock } from '../clock.ts'
import type { Delivery, Departure } from '../delivery/delivery.ts'
import type { AddressFamily, IpAddress } from '../packet/address.ts'
import { DEFAULT_DIGEST_TYPE, type DigestType } from '../packet/digest-type.ts'
import type { OutgoingMessage } from '../packet/message-fields.ts'
import { STANDARD_SPA_PORT } from '../packet/protocol-port.ts'
import { sealPacket } from '../packet/seal.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import type { Keys } from './keys.ts'
import { messageFor, type Request, randomPort } from './request.ts'
import type { Resolve } from './resolve.ts'

/** What the making of packets needs of the world. */
export interface SealWorld {
  readonly resolve: Resolve
  readonly clock: Clock
  /** @returns as many unpredictable bytes as asked for: `randomBytes` of `node:crypto`. */
  readonly randomBytes: (length: number) => Uint8Array
}

/** What a knock needs of the world. */
export interface KnockWorld extends SealWorld {
  readonly delivery: Delivery
}

/** A packet made, and where it is for. */
export interface SealedKnock {
  readonly address: IpAddress
  /** The UDP port. */
  readonly port: Port
  readonly message: OutgoingMessage
  /** What goes over the wire: ASCII. */
  readonly text: string
}

/** A packet, and what became of it. */
export interface SentKnock extends SealedKnock {
  readonly departure: Result<Departure, Failure<'SEND_FAILED'>>
}

/** What is asked for, of whom, and with which keys. */
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
  /** The UDP port to send to (62201 where absent). */
  readonly serverPort?: Port
  /** Another port from 10000 to 65534 for each packet, in place of `serverPort`. */
  readonly randomPort?: boolean
  /** The digest of the message (sha256 where absent). */
  readonly digestType?: DigestType
}

/**
 * Makes the packets and sends nothing.
 * @returns one for each address of the server, or `NAME_UNRESOLVED`, or why the message cannot be sealed.
 */
export async function sealKnock(plan: KnockPlan, world: SealWorld): Promise<Result<readonly SealedKnock[], Failure>> {
  const { settings, server } = plan
  const addresses = await world.resolve(server, settings.family)
  if (!addresses.ok) return addresses
  const sealed: SealedKnock[] = []
  for (const address of addresses.value) {
    const message = messageFor(plan.request, {
      destination: address,
      random: randomDigits(world.randomBytes(8)),
      now: world.clock.now(),
    })
    const packet = sealPacket(message, plan.keys, {
      digestType: settings.digestType ?? DEFAULT_DIGEST_TYPE,
      salt: world.randomBytes(8),
    })
    if (!packet.ok) return packet
    const spaPort =
      settings.randomPort === true
        ? randomPort(readUint16(world.randomBytes(2)))
        : (settings.serverPort ?? STANDARD_SPA_PORT)
    sealed.push({ address, port: spaPort, message, text: packet.value })
  }
  return ok(sealed)
}

/** @returns what became of each packet; `SEND_FAILED` where none of them left. */
export async function sendKnock(
  packets: readonly SealedKnock[],
  delivery: Delivery,
): Promise<Result<readonly SentKnock[], Failure<'SEND_FAILED'>>> {
  const sent = await Promise.all(packets.map(async (packet) => ({ ...packet, departure: await delivery.send(packet) })))
  const failures = sent.flatMap(({ departure }) => (departure.ok ? [] : [departure.failure.detail]))
  return failures.length < sent.length ? ok(sent) : refuse('SEND_FAILED', failures.join('; '))
}

export function readUint16(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
}

/**
 * The digits that open each message (docs/WIRE.md § 2).
 *
 * @param bytes 8 random bytes.
 * @returns 16 decimal digits. Their slight bias is harmless: fwknop makes them of 32 random bits; what makes a packet
 * unlike any other is its salt.
 */
function randomDigits(bytes: Uint8Array): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return (value % 10n ** 16n).toString().padStart(16, '0')
}
