/** Seals the packets of one knock on this device. Clock and random bytes are arguments. */
import { messageFor, type Request, randomDigits } from '../../../src/client/request.ts'
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import { DEFAULT_DIGEST_TYPE } from '../../../src/packet/digest-type.ts'
import { DEFAULT_ENCRYPTION_MODE } from '../../../src/packet/encryption-mode.ts'
import type { PacketKeys } from '../../../src/packet/open.ts'
import { sealPacket } from '../../../src/packet/seal.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import type { UnixSeconds } from '../../../src/units.ts'

export interface SealWorld {
  readonly now: UnixSeconds
  readonly randomBytes: (length: number) => Uint8Array
}

/** The keys of a profile. */
export function keysOf(settings: ClientSettings): Result<PacketKeys, Failure> {
  const { encryptionKey, hmacKey, encryptionMode: mode = DEFAULT_ENCRYPTION_MODE } = settings
  if (encryptionKey === undefined || !('key' in encryptionKey))
    return refuse('KEY_MISSING', 'the profile has no encryption key (KEY_BASE64)')
  if (mode === 'asymmetric') return refuse('KEY_INVALID', 'the profile is for GnuPG')
  if (hmacKey !== undefined && mode === 'legacy')
    return refuse('CONFIG_CONFLICT', 'mode legacy is for fwknop before 2.5, which has no HMAC: take the HMAC key out')
  if (hmacKey === undefined) return ok({ encryption: { mode, key: encryptionKey.key } })
  if (!('key' in hmacKey))
    return refuse('KEY_MISSING', 'the HMAC key of the profile is in a file: paste the key itself')
  const type = settings.hmacDigestType ?? DEFAULT_DIGEST_TYPE
  return ok({ encryption: { mode, key: encryptionKey.key }, hmac: { key: hmacKey.key, type } })
}

/** @returns one packet for each request, as it goes on the wire. */
export function sealRequests(
  requests: readonly Request[],
  { settings, keys }: { readonly settings: ClientSettings; readonly keys: PacketKeys },
  { now, randomBytes }: SealWorld,
): Result<readonly string[], Failure> {
  const packets: string[] = []
  for (const request of requests) {
    const message = messageFor(request, {
      destination: settings.server ?? '',
      random: randomDigits(randomBytes(8)),
      now,
    })
    const digestType = settings.digestType ?? DEFAULT_DIGEST_TYPE
    const packet = sealPacket(message, keys, { digestType, salt: randomBytes(8) })
    if (!packet.ok) return packet
    packets.push(packet.value)
  }
  return ok(packets)
}
