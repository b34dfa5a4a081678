/**
 * Passkeys (WebAuthn level 2), by hand over node:crypto: ES256, EdDSA and RS256 (Windows Hello), no
 * attestation. The browser hands the public
 * key over as SubjectPublicKeyInfo, and the authenticator data have a fixed form, so that no CBOR is read. A library
 * for all of it would be 24 packages.
 */
import {
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { decodeText } from '../bytes/text.ts'
import { integer, mapped, type Read, type Reader, record, text } from '../json-reader.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import type { Passkey } from './account.ts'

/** How long a browser may take to ask its person. */
export const CHALLENGE_TIME = milliseconds(120_000)
/** Their identifiers in COSE. */
export const ES256 = -7
export const EDDSA = -8
/** RSASSA-PKCS1-v1_5 with SHA-256: the only one that some TPMs have. */
export const RS256 = -257
const SHORTEST_RSA = 2_048

const base64url = (max: number): Reader<string> =>
  mapped(text({ max }), (read) => (/^[A-Za-z0-9_-]+$/.test(read) ? read : undefined))

/** What a browser gives when a passkey is made. */
export const readRegistration = record(
  {
    id: base64url(1_400),
    clientDataJSON: base64url(4_000),
    attestationObject: base64url(12_000),
    publicKey: base64url(1_000),
    publicKeyAlgorithm: integer({ min: -70_000, max: 70_000 }),
  },
  {},
)
export type Registration = Read<typeof readRegistration>

/** What a browser gives when a passkey is used. */
export const readAssertion = record(
  {
    id: base64url(1_400),
    authenticatorData: base64url(2_000),
    clientDataJSON: base64url(4_000),
    signature: base64url(1_000),
  },
  { userHandle: base64url(100) },
)
export type Assertion = Read<typeof readAssertion>

/** The site as this browser sees it. */
export interface Site {
  /** `https://console.example.org:8443` */
  readonly origin: string
  /** Its name, without the port. */
  readonly rpId: string
}

/** @param host of the request, which is one of ours. */
export function siteOf(host: string, secure: boolean): Site {
  const name = host.toLowerCase()
  return { origin: `${secure ? 'https' : 'http'}://${name}`, rpId: name.replace(/:[0-9]{1,5}$/, '') }
}

const HASH = 32
const FLAGS_AT = HASH
const COUNTER_AT = FLAGS_AT + 1
const SHORTEST_DATA = COUNTER_AT + 4
const AAGUID = 16
const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04
const HAS_CREDENTIAL = 0x40

interface AuthenticatorData {
  readonly flags: number
  readonly counter: number
}

/** @returns undefined unless it is for this site, and the authenticator has verified its person. */
function readData(data: Buffer, { rpId }: Site): AuthenticatorData | undefined {
  if (data.length < SHORTEST_DATA || !data.subarray(0, HASH).equals(sha256(Buffer.from(rpId)))) return undefined
  const flags = data[FLAGS_AT] ?? 0
  const needed = USER_PRESENT | USER_VERIFIED
  return (flags & needed) === needed ? { flags, counter: data.readUInt32BE(COUNTER_AT) } : undefined
}

/** @returns the challenge; undefined if the browser did something else, or for another page. */
function challengeIn(
  clientData: Buffer,
  type: 'webauthn.create' | 'webauthn.get',
  { origin }: Site,
): string | undefined {
  const json = decodeText(clientData)
  let data: unknown
  try {
    data = JSON.parse(json ?? '')
  } catch {
    return undefined
  }
  if (typeof data !== 'object' || data === null) return undefined
  const { type: done, challenge, origin: from, crossOrigin } = data as Readonly<Record<string, unknown>>
  const isOurs = done === type && from === origin && (crossOrigin === undefined || crossOrigin === false)
  return isOurs && typeof challenge === 'string' && challenge.length <= 100 ? challenge : undefined
}

/**
 * @param isAsked whether we asked for this challenge.
 * @returns what is kept of the passkey; undefined if anything is not as it must be.
 */
export function judgeRegistration(
  given: Registration,
  site: Site,
  isAsked: (challenge: string) => boolean,
): Pick<Passkey, 'id' | 'publicKey' | 'rpId' | 'counter'> | undefined {
  const challenge = challengeIn(bytesOf(given.clientDataJSON), 'webauthn.create', site)
  if (challenge === undefined || !isAsked(challenge)) return undefined
  const object = bytesOf(given.attestationObject)
  const hash = sha256(Buffer.from(site.rpId))
  const at = object.indexOf(hash)
  // The authenticator data are a part of the object. Where that is not plain, nothing is guessed.
  if (at < 0 || object.indexOf(hash, at + 1) >= 0) return undefined
  const data = readData(object.subarray(at), site)
  if (data === undefined || (data.flags & HAS_CREDENTIAL) === 0) return undefined
  const lengthAt = at + SHORTEST_DATA + AAGUID
  if (object.length < lengthAt + 2) return undefined
  const length = object.readUInt16BE(lengthAt)
  const id = object.subarray(lengthAt + 2, lengthAt + 2 + length)
  if (length === 0 || id.length !== length || id.toString('base64url') !== given.id) return undefined
  const publicKey = keyOf(given.publicKey, given.publicKeyAlgorithm)
  // The same key as the authenticator's own: a page that was changed could hand over another one.
  if (publicKey === undefined || !numbersOf(publicKey).every((one) => object.includes(one))) return undefined
  return { id: given.id, publicKey: given.publicKey, rpId: site.rpId, counter: data.counter }
}

/** @returns the new counter; undefined if anything is not as it must be. */
export function judgeAssertion(
  given: Assertion,
  passkey: Pick<Passkey, 'id' | 'publicKey' | 'rpId' | 'counter'>,
  site: Site,
  isAsked: (challenge: string) => boolean,
): number | undefined {
  const clientData = bytesOf(given.clientDataJSON)
  const challenge = challengeIn(clientData, 'webauthn.get', site)
  if (challenge === undefined || given.id !== passkey.id || passkey.rpId !== site.rpId) return undefined
  const authenticatorData = bytesOf(given.authenticatorData)
  const data = readData(authenticatorData, site)
  const key = keyOf(passkey.publicKey)
  if (data === undefined || key === undefined) return undefined
  const signed = Buffer.concat([authenticatorData, sha256(clientData)])
  if (!isSignature(key, signed, bytesOf(given.signature))) return undefined
  // One that counts never goes back: else there are two of it.
  if ((data.counter > 0 || passkey.counter > 0) && data.counter <= passkey.counter) return undefined
  // Last: what is signed uses the challenge up.
  return isAsked(challenge) ? data.counter : undefined
}

function isSignature(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, key, signature)
  } catch {
    return false
  }
}

/** @param algorithm as the browser names it; absent: it was judged before. */
function keyOf(spki: string, algorithm?: number): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: bytesOf(spki), format: 'der', type: 'spki' })
    const found = algorithmOf(key)
    return found !== undefined && (algorithm === undefined || algorithm === found) ? key : undefined
  } catch {
    return undefined
  }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): number | undefined {
  switch (asymmetricKeyType) {
    case 'ec':
      return asymmetricKeyDetails?.namedCurve === 'prime256v1' ? ES256 : undefined
    case 'ed25519':
      return EDDSA
    case 'rsa':
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= SHORTEST_RSA ? RS256 : undefined
    default:
      return undefined
  }
}

/** What makes it this key, as the authenticator writes it: coordinates, or the modulus of RSA. */
function numbersOf(key: KeyObject): readonly Buffer[] {
  const { x, y, n } = key.export({ format: 'jwk' })
  return [x, y, n].flatMap((one) => (one === undefined ? [] : [bytesOf(one)]))
}

function bytesOf(base64urlText: string): Buffer {
  return Buffer.from(base64urlText, 'base64url')
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** What a challenge is for, and for whom: good for nothing else. */
export interface ChallengeUse {
  readonly use: 'login' | 'step-up' | 'register'
  /** The id of the account; empty for a login. */
  readonly account: string
}

/**
 * Challenges that are not kept: their id is a MAC over them, so that strangers who ask for many take no memory. Used
 * ones are remembered until they end: each is good once.
 */
export class Challenges {
  readonly #key = randomBytes(32)
  readonly #used = new Map<string, Milliseconds>()

  issue(what: ChallengeUse, now: Milliseconds): { readonly id: string; readonly challenge: string } {
    const challenge = randomBytes(32).toString('base64url')
    const until = Math.floor(now + CHALLENGE_TIME)
    return { id: `${until}.${this.#mac(challenge, until, what)}`, challenge }
  }

  /** @returns whether this id was issued for it, a short time ago, and not used. It is used then. */
  take(id: string, challenge: string, what: ChallengeUse, now: Milliseconds): boolean {
    const [, digits = '', mac = ''] = /^([0-9]{1,15})\.([A-Za-z0-9_-]{43})$/.exec(id) ?? []
    const until = Number(digits)
    const [given, right] = [Buffer.from(mac), Buffer.from(this.#mac(challenge, until, what))]
    if (given.length !== right.length || !timingSafeEqual(given, right) || now > until) return false
    for (const [used, end] of this.#used) if (now > end) this.#used.delete(used)
    if (this.#used.has(challenge)) return false
    this.#used.set(challenge, milliseconds(until))
    return true
  }

  #mac(challenge: string, until: number, { use, account }: ChallengeUse): string {
    return createHmac('sha256', this.#key).update(`${use} ${account} ${until} ${challenge}`).digest('base64url')
  }
}
