/**
 * The first thing done with every packet, and for junk the last: the HMAC over the encoded ciphertext (docs/WIRE.md §
 * 8). Encrypt-then-MAC, so nothing is decrypted that has not passed here, unless a stanza has no HMAC key.
 */
import { primitives } from '#primitives'
import { endsInBase64 } from '../bytes/base64.ts'
import type { Mac } from '../primitives/primitives.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'
import { type DigestType, encodedDigestLength } from './digest-type.ts'
import type { Envelope } from './envelope.ts'
import { exposeKey, type HmacKey } from './key.ts'
import type { PacketFailure } from './strictness.ts'

/** How packets are authenticated: the key, and the digest of the HMAC. */
export interface Authentication {
  readonly key: HmacKey
  readonly type: DigestType
}

/**
 * An envelope whose HMAC has been checked, or that a stanza takes without one. Only {@link authenticate} and
 * {@link acceptUnauthenticated} make one; only `decrypt` takes one. `tagLength`: characters at the end that are HMAC.
 */
export type AuthenticEnvelope = Brand<{ readonly envelope: Envelope; readonly tagLength: number }, 'AuthenticEnvelope'>

/** One for all, since a flood is refused at this point. */
const MISMATCH = refuse('SPA_HMAC_MISMATCH', 'made with another key or another digest, or changed on its way')
const PADDED = refuse('SPA_HMAC_MISMATCH', 'the packet ends in “=”, not in an HMAC')

/**
 * Checks the HMAC under one key. Trying the next key costs one MAC, and allocates nothing else.
 * @param envelope the packet, unopened.
 * @param authentication the key, and the digest of its HMAC.
 * @returns the envelope, for `decrypt`; `SPA_HMAC_MISMATCH` for every fault.
 * @example
 * ```ts
 * import { authenticate, HmacKey, parseEnvelope, parseKeyText } from 'ghostport/packet'
 *
 * const wire =
 *   '8AAAAAAAAAAEyb6oBOur4aCyx3oONiC6Z9eiu78gOwa2+jv2tyAhbRvU1r21d2YXZNUcTf2tC097QrySM' +
 *   'VYQNFiqQ8nxt7xSXziVVs860vOgS0wCmskOJR/n09ngYeCN5EjBA8eqDt0Ax0tPTL0h/vvj1j3pFzaGQA'
 * const envelope = parseEnvelope(new TextEncoder().encode(wire), { http: 'off' })
 * const key = parseKeyText(HmacKey, 'two')
 * if (!envelope.ok || !key.ok) throw new Error('not usable')
 * console.log(authenticate(envelope.value, { key: key.value, type: 'md5' }).ok) // true
 * console.log(authenticate(envelope.value, { key: key.value, type: 'sha256' }).ok) // false
 * ```
 */
export function authenticate(
  envelope: Envelope,
  { key, type }: Authentication,
): Result<AuthenticEnvelope, PacketFailure<'SPA_HMAC_MISMATCH'>> {
  if (envelope.padding !== 0) return PADDED
  const tagLength = encodedDigestLength(type)
  const { ascii } = envelope
  const end = ascii.length - tagLength
  if (end < 0) return MISMATCH
  return tagCheckOf(key, type)(ascii, end) ? ok({ envelope, tagLength } as AuthenticEnvelope) : MISMATCH
}

/**
 * The road of stanzas without an HMAC key: the packet is taken as it is, and anybody may have made its ciphertext.
 * @param envelope the packet, unopened.
 * @returns the same, for `decrypt`.
 * @example
 * ```ts
 * import { acceptUnauthenticated, decrypt, EncryptionKey, parseEnvelope, parseKeyText } from 'ghostport/packet'
 *
 * const wire =
 *   '8AAAAAAAAAAEyb6oBOur4aCyx3oONiC6Z9eiu78gOwa2+jv2tyAhbRvU1r21d2YXZNUcTf2tC097QrySM' +
 *   'VYQNFiqQ8nxt7xSXziVVs860vOgS0wCmskOJR/n09ngYeCN5EjBA8eqDt0Ax0tPTL0h/vvj1j3pFzaGQA'
 * const envelope = parseEnvelope(new TextEncoder().encode(wire), { http: 'off' })
 * const key = parseKeyText(EncryptionKey, 'one')
 * if (!envelope.ok || !key.ok) throw new Error('not usable')
 * // The HMAC at its end, which nobody checked, was taken for ciphertext.
 * const refused = decrypt(acceptUnauthenticated(envelope.value), { key: key.value, mode: 'CBC' })
 * console.log(refused.ok || refused.failure.code) // SPA_DECRYPT_FAILED
 * ```
 */
export function acceptUnauthenticated(envelope: Envelope): AuthenticEnvelope {
  return { envelope, tagLength: 0 } as AuthenticEnvelope
}

const macs = new WeakMap<HmacKey, { readonly type: DigestType; readonly mac: Mac }>()

/** A key is used with one digest as a rule, so the last is remembered: getting it ready costs as much as a packet. */
export function macOf(key: HmacKey, type: DigestType): Mac {
  const known = macs.get(key)
  if (known?.type === type) return known.mac
  const mac = primitives.prepareHmac(type, exposeKey(key))
  macs.set(key, { type, mac })
  return mac
}

/**
 * Whether the ASCII from `end` on is the HMAC of what is before it: compared in constant time, and in the one spelling
 * that base64 has for these bytes.
 */
export type TagCheck = (ascii: Uint8Array, end: number) => boolean
/** Prepares a key for this digest. @returns undefined for one that it does not know. */
export type TagChecker = (type: DigestType, key: Uint8Array) => TagCheck | undefined

const checks = new WeakMap<HmacKey, { readonly type: DigestType; readonly check: TagCheck }>()
let checker: TagChecker = () => undefined

/**
 * From now on, tags are checked by `faster` where it can, in this process: junk costs a server one check for each key.
 * To be called before the first packet.
 * @internal
 */
export function checkTagsBy(faster: TagChecker): void {
  checker = faster
}

function tagCheckOf(key: HmacKey, type: DigestType): TagCheck {
  const known = checks.get(key)
  if (known?.type === type) return known.check
  const check = checker(type, exposeKey(key)) ?? checkByMac(macOf(key, type))
  checks.set(key, { type, check })
  return check
}

function checkByMac(mac: Mac): TagCheck {
  return (ascii, end) => endsInBase64(ascii, end, mac(ascii, end))
}
