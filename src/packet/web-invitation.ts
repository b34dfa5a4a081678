/**
 * An invitation that is claimed through a gateway (docs/WIRE.md § 19). From the secret of the link, both ends derive
 * the proof that a gateway checks, a key for the tag of a claim, and a key for the profile. The device makes a key pair
 * of its own. The profile is sealed to both: neither the gateway nor a later holder of the link can read it.
 */
import { primitives } from '#primitives'
import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { concatBytes, equalBytes, wipe } from '../bytes/bytes.ts'
import { decodeText, encodeText } from '../bytes/text.ts'
import { bytesOfHex, hexOf, type InvitationSecret } from './invitation-secret.ts'

type Bytes = Uint8Array<ArrayBuffer>
/** Node and browsers name this type differently. */
type PairKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Of a point of P-256: 4, X, Y. */
export const DEVICE_KEY_BYTES = 65
export const CURVE = { name: 'ECDH', namedCurve: 'P-256' } as const
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Characters of a sealed profile. */
export const MOST_SEALED = 4000

/** What the server keeps to judge a claim and to seal the profile. It says nothing of the proof, nor of the secret. */
export interface ClaimKeys {
  /** The name of the invitation at the gateway: SHA-256 of the proof, 64 hexadecimal digits. */
  readonly id: string
  /** 32 bytes each. */
  readonly claim: Uint8Array
  readonly seal: Uint8Array
}

/** All of it: what the holder of the link has. `proof`: 64 hexadecimal digits. */
export interface LinkKeys extends ClaimKeys {
  readonly proof: string
}

export function deriveLinkKeys(secret: InvitationSecret): LinkKeys {
  const proof = derive(secret, 'proof')
  return { ...{ id: invitationId(hexOf(proof)), proof: hexOf(proof) }, ...keysFor(secret) }
}

function keysFor(secret: InvitationSecret): Pick<ClaimKeys, 'claim' | 'seal'> {
  return { claim: derive(secret, 'claim'), seal: derive(secret, 'seal') }
}

/** @param proof 64 hexadecimal digits. */
export function invitationId(proof: string): string {
  return hexOf(primitives.digest('sha256', bytesOfHex(proof)))
}

function derive(secret: InvitationSecret, use: 'proof' | 'claim' | 'seal'): Uint8Array {
  return hkdf(secret, new Uint8Array(), encodeText(`ghostport web invitation 1 ${use}`))
}

/** HKDF-SHA256 (RFC 5869) with 32 bytes of output. */
function hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array {
  const extracted = primitives.prepareHmac('sha256', salt)(key)
  const expanded = primitives.prepareHmac('sha256', extracted)(concatBytes(info, Uint8Array.of(1)))
  wipe(extracted)
  return expanded
}

/** The tag of a claim: who has no secret cannot make one for another key. 64 hexadecimal digits. */
export function claimTag({ claim, id }: ClaimKeys, device: Uint8Array): string {
  const said = concatBytes(encodeText('ghostport web invitation 1 claim'), bytesOfHex(id), device)
  return hexOf(primitives.prepareHmac('sha256', claim)(said))
}

export function isClaimTag(keys: ClaimKeys, device: Uint8Array, tag: string): boolean {
  return equalBytes(bytesOfHex(claimTag(keys, device)), bytesOfHex(tag))
}

/** Four groups of four digits, for a person to read out. They belong to this key and this invitation. */
export function deviceFingerprint({ id }: Pick<ClaimKeys, 'id'>, device: Uint8Array): string {
  const hash = primitives.digest(
    'sha256',
    concatBytes(encodeText('ghostport web invitation 1 device'), bytesOfHex(id), device),
  )
  const number = hash.subarray(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  const digits = (number % 10n ** 16n).toString().padStart(16, '0')
  return (digits.match(/.{4}/g) ?? []).join('-')
}

/** @returns the 16 digits with dashes; undefined for another text. */
export function parseDeviceFingerprint(text: string): string | undefined {
  const digits = text.replace(/[\s-]/g, '')
  return /^[0-9]{16}$/.test(digits) ? (digits.match(/.{4}/g) ?? []).join('-') : undefined
}

export function formatDeviceKey(device: Uint8Array): string {
  return encodeBase64(device)
}

/** @returns undefined for what has not the form of a key. Its use tells whether it is a point of the curve. */
export function parseDeviceKey(text: string): Bytes | undefined {
  const bytes = text.length === 87 ? decodeBase64(text) : undefined
  return bytes?.length === DEVICE_KEY_BYTES && bytes[0] === 4 ? Uint8Array.from(bytes) : undefined
}

/** A key pair for one use. */
export interface KeyPair {
  readonly privateKey: PairKey
  /** 65 bytes. */
  readonly publicKey: Uint8Array
}

/**
 * @param device the public key of the device. @param once a new key pair. @param nonce 12 random bytes.
 * @returns the profile as base64; undefined if the key of the device is no point of the curve.
 */
export async function sealForDevice(
  keys: ClaimKeys,
  device: Uint8Array,
  once: KeyPair,
  nonce: Uint8Array,
  text: string,
): Promise<string | undefined> {
  const key = await sharedKey(keys, once.privateKey, device, { device, once: once.publicKey })
  if (key === undefined) return undefined
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv: copied(nonce), additionalData: copied(bytesOfHex(keys.id)) },
    key,
    copied(encodeText(text)),
  )
  return encodeBase64(concatBytes(once.publicKey, nonce, new Uint8Array(sealed)))
}

/** @returns the text; undefined if it was sealed for another device or invitation, or was changed. */
export async function openOnDevice(keys: ClaimKeys, device: KeyPair, sealed: string): Promise<string | undefined> {
  const bytes = sealed.length > MOST_SEALED ? undefined : decodeBase64(sealed)
  if (bytes === undefined || bytes.length < DEVICE_KEY_BYTES + NONCE_BYTES + TAG_BYTES) return undefined
  const once = bytes.subarray(0, DEVICE_KEY_BYTES)
  const nonce = bytes.subarray(DEVICE_KEY_BYTES, DEVICE_KEY_BYTES + NONCE_BYTES)
  const key = await sharedKey(keys, device.privateKey, once, { device: device.publicKey, once })
  if (key === undefined) return undefined
  try {
    const opened = await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv: copied(nonce), additionalData: copied(bytesOfHex(keys.id)) },
      key,
      copied(bytes.subarray(DEVICE_KEY_BYTES + NONCE_BYTES)),
    )
    return decodeText(new Uint8Array(opened))
  } catch {
    return undefined
  }
}

/** From what both sides computed by their keys, and from the secret of the link. */
async function sharedKey(
  { id, seal }: ClaimKeys,
  own: PairKey,
  others: Uint8Array,
  { device, once }: { readonly device: Uint8Array; readonly once: Uint8Array },
): Promise<PairKey | undefined> {
  try {
    const point = await crypto.subtle.importKey('raw', copied(others), CURVE, false, [])
    const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'ECDH', public: point }, own, 256))
    const info = concatBytes(encodeText('ghostport web invitation 1 profile'), device, once)
    const derived = hkdf(concatBytes(shared, seal), bytesOfHex(id), info)
    wipe(shared)
    const key = await crypto.subtle.importKey('raw', copied(derived), 'AES-GCM', false, ['encrypt', 'decrypt'])
    wipe(derived)
    return key
  } catch {
    return undefined
  }
}

/** A new pair, whose private key can be kept as PKCS #8. */
export async function newKeyPair(): Promise<KeyPair> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(CURVE, true, ['deriveBits'])
  return { privateKey, publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)) }
}

/** PKCS #8, in base64. */
export async function exportPrivateKey({ privateKey }: KeyPair): Promise<string> {
  return encodeBase64(new Uint8Array(await crypto.subtle.exportKey('pkcs8', privateKey)))
}

/** @returns undefined for what is no such key. */
export async function importPrivateKey(text: string, publicKey: Uint8Array): Promise<KeyPair | undefined> {
  const bytes = decodeBase64(text)
  try {
    if (bytes === undefined) return undefined
    return { privateKey: await crypto.subtle.importKey('pkcs8', copied(bytes), CURVE, true, ['deriveBits']), publicKey }
  } catch {
    return undefined
  }
}

/** In memory of its own, which no other thread shares: the browser asks for that. */
function copied(bytes: Uint8Array): Bytes {
  return Uint8Array.from(bytes)
}
