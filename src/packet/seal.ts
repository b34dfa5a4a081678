/** Making a packet: the road of open.ts, backwards. Random values and the time are arguments. */
import { encodeBase64 } from '../bytes/base64.ts'
import { encodeText } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { macOf } from './authenticate.ts'
import { encrypt, SALT_LENGTH } from './cipher.ts'
import type { DigestType } from './digest-type.ts'
import { LEGACY_KEY_LENGTH } from './encryption-mode.ts'
import { MIN_GPG_LENGTH, MIN_WIRE_LENGTH, WIRE_PREFIX } from './envelope.ts'
import { encodeFields, type MessageFields, parseFields } from './fields.ts'
import { exposeKey, sameKey } from './key.ts'
import { encodeMessage, type OutgoingMessage, parseMessage } from './message-fields.ts'
import type { PacketKeys } from './open.ts'
import { isPerlEra, PROTOCOL_VERSION, parseProtocolVersion } from './protocol-version.ts'

/** How to make a packet, besides message and keys. */
export interface SealOptions {
  /** Of the digest inside the message: SHA-256 unless the server is very old. */
  readonly digestType: DigestType
  /** 8 bytes from a cryptographic random generator, new for each packet. */
  readonly salt: Uint8Array
  /**
   * The protocol to speak: {@link PROTOCOL_VERSION} unless told otherwise. Below 2.0 it is that of 1.9.12: base64 fields
   * keep their padding, local NAT has its ports the other way round, there is no HMAC, and digests end with SHA-256.
   */
  readonly protocol?: string
}

/** Why a message cannot be sealed. */
export type SealFailure = Failure<'SPA_MESSAGE_INVALID' | 'KEY_INVALID'>

/**
 * Seals a message into the text that goes on the wire.
 * @param message what is asked for; its `random` is 16 decimal digits, new for each packet.
 * @param keys which must differ from each other.
 * @param options the digest of the message, the salt, and the protocol to speak.
 * @returns the text; `SPA_MESSAGE_INVALID` for what fwknopd would not take, too long, too short or not well formed;
 * `KEY_INVALID` for keys that may not be used so.
 * @throws RangeError for a salt of another length.
 * @example For a server of 1.9.12.
 * ```ts
 * import { EncryptionKey, parseKeyText, parseUsername, port, sealPacket, unixSeconds } from 'ghostport/packet'
 *
 * const key = parseKeyText(EncryptionKey, 'sixteen byte key')
 * const username = parseUsername('alice')
 * if (!key.ok || !username.ok) throw new Error('not usable')
 * const sealed = sealPacket(
 *   {
 *     kind: 'localNatAccess', // a ghost service: for us, port 80 is SSH
 *     random: '4711471147114711',
 *     username: username.value,
 *     timestamp: unixSeconds(1795410748),
 *     source: 'packet-source',
 *     ports: [{ protocol: 'tcp', port: port(80) }],
 *     localPort: port(22),
 *     host: '192.0.2.1',
 *   },
 *   { encryption: { mode: 'CBC', key: key.value } },
 *   { digestType: 'sha256', salt: crypto.getRandomValues(new Uint8Array(8)), protocol: '1.9.12' },
 * )
 * console.log(sealed.ok) // true
 * ```
 */
export function sealPacket(
  message: OutgoingMessage,
  keys: PacketKeys,
  { digestType, salt, protocol = PROTOCOL_VERSION }: SealOptions,
): Result<string, SealFailure> {
  if (salt.length !== SALT_LENGTH) throw new RangeError(`a salt has ${SALT_LENGTH} bytes, not ${salt.length}`)
  const old = isPerlEra(protocol)
  const wrong = wrongKeys(keys) ?? wrongProtocol(protocol) ?? (old ? beyond1912(keys, digestType) : undefined)
  if (wrong !== undefined) return wrong

  const fields = encodeMessage(message, protocol)
  const plaintext = encodeFields(fields, { digestType, padded: old })
  const unreadable = wrongMessage(fields, plaintext)
  if (unreadable !== undefined) return unreadable

  const encoded = encodeBase64(encrypt(plaintext, keys.encryption, salt))
  const tag = keys.hmac === undefined ? '' : encodeBase64(macOf(keys.hmac.key, keys.hmac.type)(encodeText(encoded)))
  return checkLength(encoded, tag, message.kind === 'command')
}

function wrongKeys({ encryption, hmac }: PacketKeys) {
  return hmac !== undefined && sameKey(encryption.key, hmac.key)
    ? refuse('KEY_INVALID', 'the HMAC key and the encryption key are the same; fwknopd does not start with such keys')
    : undefined
}

function wrongProtocol(protocol: string) {
  const version = parseProtocolVersion(protocol)
  return version.ok ? undefined : refuse('SPA_MESSAGE_INVALID', version.failure.detail)
}

/** What a server of 1.9.12 cannot read. */
function beyond1912({ encryption, hmac }: PacketKeys, digestType: DigestType) {
  if (hmac !== undefined) return refuse('SPA_MESSAGE_INVALID', '1.9.12 knows no HMAC')
  if (!['md5', 'sha1', 'sha256'].includes(digestType))
    return refuse('SPA_MESSAGE_INVALID', `1.9.12 knows the digests md5, sha1 and sha256, not ${digestType}`)
  const { length } = exposeKey(encryption.key)
  if (encryption.mode === 'legacy' && length > LEGACY_KEY_LENGTH)
    return refuse(
      'KEY_INVALID',
      `mode legacy cuts a key at ${LEGACY_KEY_LENGTH} bytes, 1.9.12 does not: use mode CBC with a longer one`,
    )
  if (encryption.mode === 'CBC' && length < LEGACY_KEY_LENGTH)
    return refuse(
      'KEY_INVALID',
      `1.9.12 fills a key up to ${LEGACY_KEY_LENGTH} bytes: use mode legacy with a shorter one`,
    )
  if (encryption.mode !== 'legacy' && encryption.mode !== 'CBC')
    return refuse('KEY_INVALID', `1.9.12 knows the modes CBC and legacy, not ${encryption.mode}`)
  return length < 8 ? refuse('KEY_INVALID', '1.9.12 wants a key of at least 8 bytes') : undefined
}

/** The rules for messages are those of the parser, so it is asked: what we would not open, as it is, is not sent. */
function wrongMessage(fields: MessageFields, plaintext: Uint8Array) {
  const readBack = parseFields(plaintext)
  if (!readBack.ok) return refuse('SPA_MESSAGE_INVALID', readBack.failure.detail)
  // A colon in a field that is not base64, or half a surrogate pair, would come out as something else.
  const names = Object.keys(fields) as (keyof MessageFields)[]
  const changed = names.find((name) => readBack.value[name] !== fields[name])
  if (changed !== undefined) return refuse('SPA_MESSAGE_INVALID', `${changed} holds what the wire cannot carry`)
  const meant = parseMessage(readBack.value)
  return meant.ok ? undefined : refuse('SPA_MESSAGE_INVALID', meant.failure.detail)
}

/** fwknopd throws away what is shorter, and takes for GnuPG's what is longer, unless it is a command. */
function checkLength(encoded: string, tag: string, isCommand: boolean): Result<string, SealFailure> {
  const wire = encoded.slice(WIRE_PREFIX.length) + tag
  if (wire.length < MIN_WIRE_LENGTH)
    return refuse(
      'SPA_MESSAGE_INVALID',
      `the packet would have ${wire.length} characters, and servers look at none below ${MIN_WIRE_LENGTH}: use a longer digest or user name`,
    )
  const counted = tag === '' ? wire.length : encoded.length
  if (counted >= MIN_GPG_LENGTH || (wire.length >= MIN_GPG_LENGTH && !isCommand))
    return refuse(
      'SPA_MESSAGE_INVALID',
      `the packet would have ${wire.length} characters, and servers take ${MIN_GPG_LENGTH} and more for GnuPG's: ask for less at once, or use shorter digests`,
    )
  return ok(wire)
}
