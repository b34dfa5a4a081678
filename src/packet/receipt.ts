/**
 * Receipts (docs/WIRE.md § 16): what the server made of one packet, for the sender of that packet alone. Encrypted and
 * authenticated under keys that are derived from the sender’s own, and from the packet. Every receipt has the same
 * length, and looks like random text.
 */
import { primitives } from '#primitives'
import { decodeBase64, encodeBase64 } from '../bytes/base64.ts'
import { concatBytes, equalBytes, wipe } from '../bytes/bytes.ts'
import { encodeText, latin1Text } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type UnixSeconds, unixSeconds } from '../units.ts'
import type { Authentication } from './authenticate.ts'
import type { Encryption } from './cipher.ts'
import { passphraseOf } from './encryption-mode.ts'
import { exposeKey } from './key.ts'
import type { FwknopDigest } from './replay-digest.ts'

/**
 * The keys that a receipt is sealed under: those of the packet. At least one of the two. A packet of GnuPG has no
 * symmetric key.
 */
export interface ReceiptKeys {
  readonly encryption?: Encryption
  readonly hmac?: Authentication
}

/** What a receipt says. */
export type Receipt = { readonly serverTime: UnixSeconds } & ReceiptVerdict

/** What the server made of the packet. */
export type ReceiptVerdict =
  /** What the packet asked for is open, until this moment of the server’s clock at least. */
  | { readonly verdict: 'open'; readonly until: UnixSeconds }
  /** The server runs the command of the packet. */
  | { readonly verdict: 'done' }
  /** Nothing is open any more of what the packet names. */
  | { readonly verdict: 'closed' }
  /** `code`: one of docs/ERRORS.md. A newer server may have others. */
  | { readonly verdict: 'refused'; readonly code: string }

/** Characters of a receipt on the wire. */
export const RECEIPT_LENGTH = 128
/** Random bytes that {@link sealReceipt} needs. */
export const RECEIPT_SALT_LENGTH = 16

const CONTENT = 48
const CODE_OFFSET = 14
const END = RECEIPT_SALT_LENGTH + CONTENT
const VERSION = 1
const VERDICTS = ['refused', 'open', 'done', 'closed'] as const
const KDF_SALT = encodeText('ghostport receipt 1')
const MAX_TIME = 0xffff_ffff_ffff

const NOT_OURS = refuse('RECEIPT_INVALID', 'it is not for this packet and these keys, or it was changed on its way')

/**
 * @param packet the digest of the packet’s text.
 * @param salt 16 random bytes, never used before.
 * @returns the text of the datagram; undefined without any key.
 * @throws RangeError for a code of more than 34 characters, or a time that no receipt can say.
 */
export function sealReceipt(
  packet: FwknopDigest,
  keys: ReceiptKeys,
  receipt: Receipt,
  salt: Uint8Array,
): string | undefined {
  const digest = decodeBase64(packet)
  if (digest === undefined) throw new RangeError('not a digest')
  const derived = deriveKeys(digest, keys)
  if (derived === undefined) return undefined
  const content = encodeContent(receipt)
  const encrypted = primitives.encrypt('ctr', derived.encryption, salt, content)
  const sealed = concatBytes(salt, encrypted)
  const tag = primitives.prepareHmac('sha256', derived.hmac)(sealed)
  wipe(derived.encryption, derived.hmac, content)
  return encodeBase64(concatBytes(sealed, tag))
}

/**
 * Opens the receipt of a packet.
 * @param packet the text of the packet, as it was sent by UDP.
 * @param keys that the packet was sealed with.
 * @param datagram the text that came back, of anybody.
 * @returns what the server says; `RECEIPT_INVALID` for everything else, such as the filler of a gateway.
 * @example
 * ```ts
 * import { HmacKey, openReceipt, parseKeyText } from 'ghostport/packet'
 *
 * const key = parseKeyText(HmacKey, 'two')
 * if (!key.ok) throw new Error('not usable')
 * const opened = openReceipt('8AAAAAAAAAAE', { hmac: { key: key.value, type: 'sha256' } }, 'A'.repeat(128))
 * console.log(opened.ok || opened.failure.code) // RECEIPT_INVALID
 * ```
 */
export function openReceipt(
  packet: string,
  keys: ReceiptKeys,
  datagram: string,
): Result<Receipt, Failure<'RECEIPT_INVALID'>> {
  const bytes = datagram.length === RECEIPT_LENGTH ? decodeBase64(datagram) : undefined
  if (bytes === undefined) return refuse('RECEIPT_INVALID', `a receipt has ${RECEIPT_LENGTH} characters of base64`)
  const derived = deriveKeys(primitives.digest('sha256', encodeText(packet)), keys)
  if (derived === undefined) return refuse('RECEIPT_INVALID', 'there is no key to open it with')
  const sealed = bytes.subarray(0, END)
  const tag = primitives.prepareHmac('sha256', derived.hmac)(sealed)
  if (!equalBytes(tag, bytes.subarray(END))) {
    wipe(derived.encryption, derived.hmac)
    return NOT_OURS
  }
  const salt = sealed.subarray(0, RECEIPT_SALT_LENGTH)
  const content = primitives.decrypt('ctr', derived.encryption, salt, sealed.subarray(RECEIPT_SALT_LENGTH))
  wipe(derived.encryption, derived.hmac)
  return parseContent(content)
}

/** HKDF (RFC 5869) with SHA-256, to 64 bytes. @returns undefined without any key. */
function deriveKeys(digest: Uint8Array, { encryption, hmac }: ReceiptKeys) {
  if (encryption === undefined && hmac === undefined) return undefined
  const none = new Uint8Array(0)
  const passphrase = encryption === undefined ? none : passphraseOf(encryption.key, encryption.mode)
  const hmacKey = hmac === undefined ? none : exposeKey(hmac.key)
  // With their lengths, so that no two pairs of keys have the same text.
  const secret = concatBytes(Uint8Array.of(passphrase.length), passphrase, Uint8Array.of(hmacKey.length), hmacKey)
  const extracted = primitives.prepareHmac('sha256', KDF_SALT)(secret)
  const expand = primitives.prepareHmac('sha256', extracted)
  const first = expand(concatBytes(digest, Uint8Array.of(1)))
  const second = expand(concatBytes(first, digest, Uint8Array.of(2)))
  wipe(secret, extracted)
  return { encryption: first, hmac: second }
}

function encodeContent(receipt: Receipt): Uint8Array {
  const content = new Uint8Array(CONTENT)
  content[0] = VERSION
  content[1] = VERDICTS.indexOf(receipt.verdict)
  setTime(content, 2, receipt.serverTime)
  if (receipt.verdict === 'open') setTime(content, 8, receipt.until)
  if (receipt.verdict === 'refused') content.set(encodeText(receipt.code), CODE_OFFSET)
  return content
}

/** Authentic by now: what does not fit is of a newer server. */
function parseContent(content: Uint8Array): Result<Receipt, Failure<'RECEIPT_INVALID'>> {
  const verdict = VERDICTS[content[1] ?? -1]
  const code = /^([A-Z][A-Z_]*)?\0*$/.exec(latin1Text(content.subarray(CODE_OFFSET)))?.[1] ?? ''
  const serverTime = timeAt(content, 2)
  if (content[0] === VERSION && verdict === 'open') return ok({ verdict, serverTime, until: timeAt(content, 8) })
  if (content[0] === VERSION && (verdict === 'done' || verdict === 'closed')) return ok({ verdict, serverTime })
  if (content[0] === VERSION && verdict === 'refused' && code !== '') return ok({ verdict, serverTime, code })
  return refuse('RECEIPT_INVALID', 'it is of another version of ghostport')
}

/** 48 bits, big-endian. */
function setTime(content: Uint8Array, offset: number, time: UnixSeconds): void {
  if (time < 0 || time > MAX_TIME) throw new RangeError(`no receipt can say the time ${time}`)
  const view = new DataView(content.buffer, offset)
  view.setUint16(0, Math.floor(time / 0x1_0000_0000))
  view.setUint32(2, time % 0x1_0000_0000)
}

function timeAt(content: Uint8Array, offset: number): UnixSeconds {
  const view = new DataView(content.buffer, content.byteOffset + offset)
  return unixSeconds(view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2))
}
