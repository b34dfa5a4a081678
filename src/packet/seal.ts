/** Makes a packet: the steps of open.ts in reverse. Random values and the time are arguments. */
import { encodeBase64 } from '../bytes/base64.ts'
import { encodeText } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { macOf } from './authenticate.ts'
import { encrypt, SALT_LENGTH } from './cipher.ts'
import type { DigestType } from './digest-type.ts'
import { LEGACY_KEY_LENGTH } from './encryption-mode.ts'
import { encodeFields, type MessageFields, parseFields } from './fields.ts'
import { exposeKey, sameKey } from './key.ts'
import { encodeMessage, type OutgoingMessage, parseMessage } from './message-fields.ts'
import type { PacketKeys } from './open.ts'
import { isPerlEra, PROTOCOL_VERSION, parseProtocolVersion } from './protocol-version.ts'
import { GNUPG_PREFIX, MAX_WIRE_LENGTH, MIN_GPG_LENGTH, MIN_WIRE_LENGTH, WIRE_PREFIX } from './wire-limits.ts'

/** How to make a packet, besides message and keys. */
export interface SealOptions {
  /** Of the digest inside the message: SHA-256, unless the server is very old. */
  readonly digestType: DigestType
  /** 8 bytes from a cryptographic random generator, new for each packet. */
  readonly salt: Uint8Array
  /**
   * The protocol to use; default {@link PROTOCOL_VERSION}. Below 2.0 it is that of 1.9.12: base64 fields keep their
   * padding, local NAT has its ports in the other order, there is no HMAC, and SHA-256 is the longest digest.
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
  const wrong =
    wrongKeys(keys) ?? wrongProtocol(protocol) ?? (isPerlEra(protocol) ? beyond1912(keys, digestType) : undefined)
  if (wrong !== undefined) return wrong

  const plaintext = composePlaintext(message, { digestType, protocol })
  if (!plaintext.ok) return plaintext
  const encoded = encodeBase64(encrypt(plaintext.value, keys.encryption, salt))
  return checkLength(encoded, tagOf(encoded, keys.hmac), message.kind === 'command')
}

/**
 * The plaintext of a packet, for something else to encrypt.
 * @returns ASCII; `SPA_MESSAGE_INVALID` for what fwknop would not take.
 * @internal
 */
export function composePlaintext(
  message: OutgoingMessage,
  { digestType, protocol = PROTOCOL_VERSION }: Pick<SealOptions, 'digestType' | 'protocol'>,
): Result<Uint8Array, Failure<'SPA_MESSAGE_INVALID'>> {
  const fields = encodeMessage(message, protocol)
  const plaintext = encodeFields(fields, { digestType, padded: isPerlEra(protocol) })
  return wrongMessage(fields, plaintext) ?? ok(plaintext)
}

/**
 * The text that goes on the wire, of what GnuPG made of a plaintext.
 * @param message an OpenPGP message in binary form.
 * @returns the text; `SPA_MESSAGE_INVALID` for a message that begins otherwise than fwknop's format has it, or that is
 * too long for one packet.
 * @internal
 */
export function sealGnupgMessage(
  message: Uint8Array,
  hmac: PacketKeys['hmac'],
): Result<string, Failure<'SPA_MESSAGE_INVALID'>> {
  const encoded = encodeBase64(message)
  if (!encoded.startsWith(GNUPG_PREFIX))
    return refuse(
      'SPA_MESSAGE_INVALID',
      'fwknop’s packet format has no room for this kind of GnuPG key: the recipient needs an RSA or Elgamal key of 2048 bits or more. The signer’s key may be of any kind',
    )
  const wire = encoded.slice(GNUPG_PREFIX.length) + tagOf(encoded, hmac)
  if (wire.length > MAX_WIRE_LENGTH)
    return refuse(
      'SPA_MESSAGE_INVALID',
      `the packet would have ${wire.length} characters, and one packet has at most ${MAX_WIRE_LENGTH}: sign with an ed25519 key, or let the recipient have an RSA key of 2048 or 3072 bits`,
    )
  if (wire.length < MIN_GPG_LENGTH)
    return refuse(
      'SPA_MESSAGE_INVALID',
      `the packet would have ${wire.length} characters, and servers take less than ${MIN_GPG_LENGTH} for a symmetric packet: the recipient needs an RSA key of 2048 bits or more`,
    )
  return ok(wire)
}

function tagOf(encoded: string, hmac: PacketKeys['hmac']): string {
  return hmac === undefined ? '' : encodeBase64(macOf(hmac.key, hmac.type)(encodeText(encoded)))
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
  if (hmac !== undefined) return refuse('SPA_MESSAGE_INVALID', 'fwknop 1.9.12 has no HMAC: leave the HMAC key out')
  if (!['md5', 'sha1', 'sha256'].includes(digestType))
    return refuse('SPA_MESSAGE_INVALID', `fwknop 1.9.12 has only the digests md5, sha1 and sha256, not ${digestType}`)
  const { length } = exposeKey(encryption.key)
  if (encryption.mode === 'legacy' && length > LEGACY_KEY_LENGTH)
    return refuse(
      'KEY_INVALID',
      `mode legacy cuts a key at ${LEGACY_KEY_LENGTH} bytes, fwknop 1.9.12 does not: use mode CBC for a longer key`,
    )
  if (encryption.mode === 'CBC' && length < LEGACY_KEY_LENGTH)
    return refuse(
      'KEY_INVALID',
      `fwknop 1.9.12 fills a key up to ${LEGACY_KEY_LENGTH} bytes: use mode legacy for a shorter key`,
    )
  if (encryption.mode !== 'legacy' && encryption.mode !== 'CBC')
    return refuse('KEY_INVALID', `fwknop 1.9.12 has only the modes CBC and legacy, not ${encryption.mode}`)
  return length < 8 ? refuse('KEY_INVALID', 'fwknop 1.9.12 needs a key of at least 8 bytes') : undefined
}

/**
 * The parser has the rules for messages, so the message is parsed before it is sent. A message that we would not open
 * unchanged is refused.
 */
function wrongMessage(fields: MessageFields, plaintext: Uint8Array) {
  const readBack = parseFields(plaintext)
  if (!readBack.ok) return refuse('SPA_MESSAGE_INVALID', readBack.failure.detail)
  // A colon in a field that is not base64, or half a surrogate pair, would be read back as something else.
  const names = Object.keys(fields) as (keyof MessageFields)[]
  const changed = names.find((name) => readBack.value[name] !== fields[name])
  if (changed !== undefined)
    return refuse('SPA_MESSAGE_INVALID', `${changed} has characters that a packet cannot carry`)
  const meant = parseMessage(readBack.value)
  return meant.ok ? undefined : refuse('SPA_MESSAGE_INVALID', meant.failure.detail)
}

/** fwknopd drops shorter packets, and takes longer ones for GnuPG, except commands. */
function checkLength(encoded: string, tag: string, isCommand: boolean): Result<string, SealFailure> {
  const wire = encoded.slice(WIRE_PREFIX.length) + tag
  if (wire.length < MIN_WIRE_LENGTH)
    return refuse(
      'SPA_MESSAGE_INVALID',
      `the packet would have ${wire.length} characters, and servers ignore packets of less than ${MIN_WIRE_LENGTH}: use a longer digest or user name`,
    )
  const counted = tag === '' ? wire.length : encoded.length
  if (counted >= MIN_GPG_LENGTH || (wire.length >= MIN_GPG_LENGTH && !isCommand))
    return refuse(
      'SPA_MESSAGE_INVALID',
      `the packet would have ${wire.length} characters, and servers take ${MIN_GPG_LENGTH} or more for GnuPG: ask for less in one knock, or use shorter digests`,
    )
  return ok(wire)
}
