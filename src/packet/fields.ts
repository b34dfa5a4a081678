/**
 * The plaintext of a packet: fields with colons between them; the last is a digest of all before it (docs/WIRE.md §
 * 2–6). The digest covers the text as received, never a text rebuilt from the fields: 1.9.12 pads its base64, and its
 * digest covers the padding.
 */
import { primitives } from '#primitives'
import { decodeBase64Padded, encodeBase64, encodeBase64Padded } from '../bytes/base64.ts'
import { decodeText, encodeText, isPrintableAscii, latin1Text } from '../bytes/text.ts'
import { ok, type Result, refuse } from '../result.ts'
import { DIGEST_TYPES, type DigestType, encodedDigestLength } from './digest-type.ts'
import { type PacketFailure, refuseByRule } from './strictness.ts'
import {
  MAX_CLIENT_TIMEOUT,
  MAX_ENCODED_TEXT,
  MAX_ENCODED_USERNAME,
  MAX_VERSION_LENGTH,
  RANDOM_DIGITS,
  TIME_DIGITS,
} from './wire-limits.ts'

/**
 * Types 3, 4 and 6 are types 1, 2 and 5 with a timeout that the client asks for. Type 90 is ours (docs/WIRE.md § 18):
 * fwknopd knows no type above 6.
 */
export type MessageType = 0 | 1 | 2 | 3 | 4 | 5 | 6 | typeof CLOSE_TYPE
/** The closing knock. */
export const CLOSE_TYPE = 90

/** The fields of the plaintext, decoded from base64 but not yet interpreted. The names are libfko's. */
export interface MessageFields {
  /** 16 decimal digits. */
  readonly randVal: string
  readonly username: string
  /** Unix seconds. */
  readonly timestamp: number
  readonly version: string
  readonly messageType: MessageType
  readonly message: string
  readonly natAccess: string | null
  readonly serverAuth: string | null
  /** Seconds; 0 if the packet names none. */
  readonly clientTimeout: number
}

/** The fields of a packet that came, and its digest. */
export interface DecodedFields extends MessageFields {
  /** Base64, as received. */
  readonly digest: string
  readonly digestType: DigestType
}

/** Why a plaintext is not a valid message. */
export type FieldFailure = PacketFailure<'SPA_DIGEST_MISMATCH' | 'SPA_FIELD_INVALID'>
type InvalidField = PacketFailure<'SPA_FIELD_INVALID'>

/** In bytes, digest included. */
const MIN_PLAINTEXT = 36
const MAX_PLAINTEXT = 1499

/** Which fields follow the message text, by type. */
function layoutOf(type: MessageType): { readonly nat: boolean; readonly timeout: boolean } {
  return { nat: type === 2 || (type >= 4 && type <= 6), timeout: type === 3 || type === 4 || type === 6 }
}

/**
 * Reads a plaintext.
 * @param plaintext 36 to 1499 bytes, as decrypted.
 * @returns the fields; `SPA_DIGEST_MISMATCH` if the digest does not match the rest; `SPA_FIELD_INVALID` for any
 * other fault.
 * @example
 * ```ts
 * import { parseFields } from 'ghostport/packet'
 *
 * const plaintext = '4711471147114711:YWRh:1795410748:3.0.0:1:MC4wLjAuMCx0Y3AvMjI:9Ocn+aWCH07zQc/laVgBXA'
 * const fields = parseFields(new TextEncoder().encode(plaintext))
 * console.log(fields.ok && [fields.value.message, fields.value.digestType]) // 0.0.0.0,tcp/22,md5
 * const refused = parseFields(new TextEncoder().encode(plaintext.replace('1795410748', '1795410749')))
 * console.log(refused.ok || refused.failure.code) // SPA_DIGEST_MISMATCH
 * ```
 */
export function parseFields(plaintext: Uint8Array): Result<DecodedFields, FieldFailure> {
  if (plaintext.length < MIN_PLAINTEXT || plaintext.length > MAX_PLAINTEXT)
    return refuse(
      'SPA_FIELD_INVALID',
      `the message has ${plaintext.length} bytes; ${MIN_PLAINTEXT} to ${MAX_PLAINTEXT} are allowed`,
    )
  if (!isPrintableAscii(plaintext))
    return refuse('SPA_FIELD_INVALID', 'the message has a byte that is not printable ASCII')
  const text = latin1Text(plaintext)
  const parts = text.split(':')
  if (parts.length < 7)
    return refuse('SPA_FIELD_INVALID', `the message has ${parts.length} fields; at least 7 are needed`)
  const digest = parts.at(-1) ?? ''
  const digestType = digestTypeOf(plaintext.subarray(0, text.length - digest.length - 1), digest)
  if (digestType === undefined)
    return refuse(
      'SPA_DIGEST_MISMATCH',
      `no digest type of ${digest.length} characters gives the digest that it carries`,
    )
  const fields = parseParts(parts.slice(0, -1))
  return fields.ok ? ok({ ...fields.value, digest, digestType }) : fields
}

/** A packet does not name its digest type. The length limits the types; among those of one length, each is tried. */
function digestTypeOf(covered: Uint8Array, digest: string): DigestType | undefined {
  return DIGEST_TYPES.find(
    (type) => encodedDigestLength(type) === digest.length && encodeBase64(primitives.digest(type, covered)) === digest,
  )
}

const RANDOM = new RegExp(`^[0-9]{${RANDOM_DIGITS}}$`)

function parseParts(parts: readonly string[]): Result<MessageFields, InvalidField> {
  const [randVal = '', user = '', time = '', version = '', type = '', ...rest] = parts
  if (!RANDOM.test(randVal)) return refuse('SPA_FIELD_INVALID', `the random value is not ${RANDOM_DIGITS} digits`)
  const username = parseText('user name', user, MAX_ENCODED_USERNAME)
  if (!username.ok) return username
  const timestamp = parseNumber('time', time, TIME_DIGITS)
  if (!timestamp.ok) return timestamp
  if (version.length < 1 || version.length > MAX_VERSION_LENGTH)
    return refuse(
      'SPA_FIELD_INVALID',
      `the version has ${version.length} characters; 1 to ${MAX_VERSION_LENGTH} are allowed`,
    )
  const messageType = parseType(type)
  if (!messageType.ok) return messageType
  const tail = parseTail(messageType.value, rest)
  if (!tail.ok) return tail
  return ok({
    randVal,
    username: username.value,
    timestamp: timestamp.value,
    version,
    messageType: messageType.value,
    ...tail.value,
  })
}

function parseType(text: string): Result<MessageType, InvalidField> {
  if (text.length < 1 || text.length > 2)
    return refuse('SPA_FIELD_INVALID', `the message type has ${text.length} characters; 1 or 2 are allowed`)
  const number = parseNumber('message type', text, 2)
  if (!number.ok) return number
  return isMessageType(number.value)
    ? ok(number.value)
    : refuse('SPA_FIELD_INVALID', `there is no message type ${number.value}`)
}

function isMessageType(number: number): number is MessageType {
  return (number >= 0 && number <= 6) || number === CLOSE_TYPE
}

type Tail = Pick<MessageFields, 'message' | 'natAccess' | 'serverAuth' | 'clientTimeout'>

/**
 * `message[:nat_access][:server_auth][:client_timeout]`: the type decides which fields are allowed; their number
 * decides which are present.
 */
function parseTail(type: MessageType, parts: readonly string[]): Result<Tail, InvalidField> {
  const layout = layoutOf(type)
  const needed = 1 + Number(layout.nat) + Number(layout.timeout)
  if (parts.length < needed || parts.length > needed + 1)
    return refuse('SPA_FIELD_INVALID', `type ${type} needs ${needed} fields after the type, not ${parts.length}`)
  const left = [...parts]
  const message = parseText('message', left.shift() ?? '', MAX_ENCODED_TEXT)
  if (!message.ok) return message
  const natAccess = layout.nat ? parseText('NAT target', left.shift() ?? '', MAX_ENCODED_TEXT) : ok(null)
  if (!natAccess.ok) return natAccess
  const clientTimeout = layout.timeout ? parseTimeout(left.pop() ?? '') : ok(0)
  if (!clientTimeout.ok) return clientTimeout
  const auth = left.shift()
  const serverAuth = auth === undefined ? ok(null) : parseText('server authentication', auth, MAX_ENCODED_TEXT)
  if (!serverAuth.ok) return serverAuth
  return ok({
    message: message.value,
    natAccess: natAccess.value,
    serverAuth: serverAuth.value,
    clientTimeout: clientTimeout.value,
  })
}

function parseTimeout(text: string): Result<number, InvalidField> {
  const timeout = parseNumber('timeout', text, 10)
  if (!timeout.ok || timeout.value <= MAX_CLIENT_TIMEOUT) return timeout
  return refuse('SPA_FIELD_INVALID', `the timeout is ${timeout.value} s; at most ${MAX_CLIENT_TIMEOUT} s are allowed`)
}

function parseText(what: string, encoded: string, maxLength: number): Result<string, InvalidField> {
  if (encoded.length < 1 || encoded.length > maxLength)
    return refuse(
      'SPA_FIELD_INVALID',
      `the ${what} has ${encoded.length} encoded characters; 1 to ${maxLength} are allowed`,
    )
  const bytes = decodeBase64Padded(encoded)
  if (bytes === undefined)
    return refuseByRule('SPA_FIELD_INVALID', 'inner-base64', `the ${what} is not canonical base64`)
  const text = decodeText(bytes)
  if (text === undefined || text.includes('\0'))
    return refuseByRule('SPA_FIELD_INVALID', 'text-is-utf8', `the ${what} is not UTF-8 text without NUL`)
  return ok(text)
}

function parseNumber(what: string, text: string, maxLength: number): Result<number, InvalidField> {
  if (text.length < 1 || text.length > maxLength)
    return refuse('SPA_FIELD_INVALID', `the ${what} has ${text.length} characters; 1 to ${maxLength} are allowed`)
  if (!/^(0|[1-9][0-9]*)$/.test(text))
    return refuseByRule(
      'SPA_FIELD_INVALID',
      'plain-number',
      `the ${what} is not a decimal number without leading zeros`,
    )
  return ok(Number(text))
}

/**
 * Writes a plaintext. The fields are not checked here: `sealPacket` reads the text back before it is sent.
 * @param options.padded whether base64 keeps its `=`, as in 1.9.12.
 */
export function encodeFields(
  fields: MessageFields,
  options: { readonly digestType: DigestType; readonly padded: boolean },
): Uint8Array {
  const base64 = (text: string) => (options.padded ? encodeBase64Padded : encodeBase64)(encodeText(text))
  const layout = layoutOf(fields.messageType)
  const parts = [
    fields.randVal,
    base64(fields.username),
    String(fields.timestamp),
    fields.version,
    String(fields.messageType),
    base64(fields.message),
  ]
  if (layout.nat) parts.push(base64(fields.natAccess ?? ''))
  if (fields.serverAuth !== null) parts.push(base64(fields.serverAuth))
  if (layout.timeout) parts.push(String(fields.clientTimeout))
  const covered = parts.join(':')
  const digest = encodeBase64(primitives.digest(options.digestType, encodeText(covered)))
  return encodeText(`${covered}:${digest}`)
}
