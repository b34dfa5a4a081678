/** Seals the packets of one knock on this device. Clock and random bytes are arguments. */
import { messageFor, type Request, randomDigits } from '../../../src/client/request.ts'
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import type { Authentication } from '../../../src/packet/authenticate.ts'
import type { Encryption } from '../../../src/packet/cipher.ts'
import { DEFAULT_DIGEST_TYPE } from '../../../src/packet/digest-type.ts'
import { DEFAULT_ENCRYPTION_MODE } from '../../../src/packet/encryption-mode.ts'
import type { ReceiptKeys } from '../../../src/packet/receipt.ts'
import { sealPacket } from '../../../src/packet/seal.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import type { UnixSeconds } from '../../../src/units.ts'
import type { GnupgPair } from '../profile/kept.ts'
import { sealByGnupg } from './gnupg.ts'

export interface SealWorld {
  readonly now: UnixSeconds
  readonly randomBytes: (length: number) => Uint8Array
}

/** The keys of a profile: a shared one, or those of GnuPG. */
export interface Keys {
  readonly encryption: Encryption | { readonly pair: GnupgPair }
  readonly hmac: Authentication | undefined
}

/** Whether the packets are GnuPG's. */
export function isForGnupg({ gpg, encryptionMode }: ClientSettings): boolean {
  return gpg === true || encryptionMode === 'asymmetric'
}

export function keysOf(settings: ClientSettings, gnupg: GnupgPair | undefined): Result<Keys, Failure> {
  const hmac = hmacOf(settings)
  if (!hmac.ok) return hmac
  const { encryptionKey, encryptionMode: mode = DEFAULT_ENCRYPTION_MODE } = settings
  if (isForGnupg(settings) || mode === 'asymmetric')
    return gnupg === undefined
      ? refuse('KEY_MISSING', 'the profile is for GnuPG, and has no keys of GnuPG yet')
      : ok({ encryption: { pair: gnupg }, hmac: hmac.value })
  if (encryptionKey === undefined || !('key' in encryptionKey))
    return refuse('KEY_MISSING', 'the profile has no encryption key (KEY_BASE64)')
  if (hmac.value !== undefined && mode === 'legacy')
    return refuse('CONFIG_CONFLICT', 'mode legacy is for fwknop before 2.5, which has no HMAC: take the HMAC key out')
  return ok({ encryption: { mode, key: encryptionKey.key }, hmac: hmac.value })
}

export function hmacOf({
  hmacKey,
  hmacDigestType: type = DEFAULT_DIGEST_TYPE,
}: ClientSettings): Result<Authentication | undefined, Failure> {
  if (hmacKey === undefined) return ok(undefined)
  if (!('key' in hmacKey))
    return refuse('KEY_MISSING', 'the HMAC key of the profile is in a file: paste the key itself')
  return ok({ key: hmacKey.key, type })
}

/** What a receipt for a packet of these keys is sealed under. */
export function receiptKeys({ encryption, hmac }: Keys): ReceiptKeys {
  return { ...('key' in encryption && { encryption }), ...(hmac !== undefined && { hmac }) }
}

/** @returns one packet for each request, as it goes on the wire. */
export async function sealRequests(
  requests: readonly Request[],
  { settings, keys }: { readonly settings: ClientSettings; readonly keys: Keys },
  { now, randomBytes }: SealWorld,
): Promise<Result<readonly string[], Failure>> {
  const { encryption, hmac } = keys
  const digestType = settings.digestType ?? DEFAULT_DIGEST_TYPE
  const packets: string[] = []
  for (const request of requests) {
    const message = messageFor(request, {
      destination: settings.server ?? '',
      random: randomDigits(randomBytes(8)),
      now,
    })
    const packet =
      'pair' in encryption
        ? await sealByGnupg(message, encryption.pair, { digestType, hmac })
        : sealPacket(message, { encryption, ...(hmac && { hmac }) }, { digestType, salt: randomBytes(8) })
    if (!packet.ok) return packet
    packets.push(packet.value)
  }
  return ok(packets)
}
