/**
 * `ghostport/packet`: the SPA packets of fwknop, made and opened. Pure: no I/O, no clock, no random numbers; the same
 * in Node and in a browser. The format is specified in `docs/WIRE.md`.
 *
 * Nothing throws for what comes from outside: functions that may be told no return a {@link Result}, whose failure
 * has a stable `code`. Where a packet might pass fwknopd and does not pass here, the failure names the {@link
 * StrictnessRule}.
 * @example Seal a packet as the client does, and open it as the server does.
 * ```ts
 * import * as packet from 'ghostport/packet'
 *
 * const key = packet.parseKeyText(packet.EncryptionKey, 'a key that both ends know')
 * const hmacKey = packet.parseKeyText(packet.HmacKey, 'another one')
 * const username = packet.parseUsername('alice')
 * const ports = packet.parseProtocolPorts('tcp/22')
 * if (!key.ok || !hmacKey.ok || !username.ok || !ports.ok) throw new Error('not usable')
 * const keys: packet.PacketKeys = {
 *   encryption: { mode: 'CBC', key: key.value },
 *   hmac: { type: 'sha256', key: hmacKey.value },
 * }
 *
 * const sealed = packet.sealPacket(
 *   {
 *     kind: 'access',
 *     random: '4711471147114711',
 *     username: username.value,
 *     timestamp: packet.unixSeconds(1795410748),
 *     source: 'packet-source',
 *     ports: ports.value,
 *   },
 *   keys,
 *   { digestType: 'sha256', salt: crypto.getRandomValues(new Uint8Array(8)) },
 * )
 * if (!sealed.ok) throw new Error(sealed.failure.detail)
 * console.log(sealed.value.length) // 204
 *
 * const datagram = new TextEncoder().encode(sealed.value)
 * const envelope = packet.parseEnvelope(datagram, { http: 'off' })
 * if (!envelope.ok) throw new Error(envelope.failure.detail)
 * const opened = packet.openPacket(envelope.value, keys)
 * if (!opened.ok) throw new Error(opened.failure.detail)
 * console.log(opened.value.fields.message) // 0.0.0.0,tcp/22
 * console.log(opened.value.message.kind) // access
 *
 * // One bit changed on the way:
 * datagram[20] = (datagram[20] ?? 0) ^ 1
 * const changed = packet.parseEnvelope(datagram, { http: 'off' })
 * const refused = changed.ok ? packet.openPacket(changed.value, keys) : changed
 * console.log(refused.ok) // false
 * ```
 * @module
 */
export { type AddressFamily, familyOf, type IpAddress, parseAddress } from './packet/address.ts'
export {
  type Authentication,
  type AuthenticEnvelope,
  acceptUnauthenticated,
  authenticate,
} from './packet/authenticate.ts'
export type { Encryption } from './packet/cipher.ts'
export { type Decrypted, type DecryptFailure, decrypt } from './packet/decrypt.ts'
export { DIGEST_TYPES, type DigestType, parseDigestType } from './packet/digest-type.ts'
export { ENCRYPTION_MODES, type EncryptionMode, parseEncryptionMode } from './packet/encryption-mode.ts'
export { type Envelope, type HttpAcceptance, parseEnvelope } from './packet/envelope.ts'
export {
  type DecodedFields,
  type FieldFailure,
  type MessageFields,
  type MessageType,
  parseFields,
} from './packet/fields.ts'
export {
  encodeHttpRequest,
  type HttpRequestOptions,
  type ProxyLogin,
  parseHttpRequest,
  type SpaRequest,
} from './packet/http.ts'
export { EncryptionKey, HmacKey, sameKey } from './packet/key.ts'
export { type KeyKind, parseKeyBase64, parseKeyText } from './packet/key-text.ts'
export type {
  AccessHeader,
  AccessMessage,
  CloseMessage,
  CommandMessage,
  HostName,
  LocalNatMessage,
  Message,
  MessageHeader,
  NatAccessMessage,
  NatTarget,
  Protocol,
  ProtocolPort,
  RequestedSource,
  Username,
} from './packet/message.ts'
export { type OutgoingMessage, parseMessage } from './packet/message-fields.ts'
export { isHostName, parseHostName, parseNatHost } from './packet/nat-target.ts'
export {
  authenticatePacket,
  type OpenedPacket,
  type OpenFailure,
  type OpenOptions,
  openPacket,
  type PacketKeys,
  readPlaintext,
} from './packet/open.ts'
export { formatProtocolPorts, parseProtocolPort, parseProtocolPorts } from './packet/protocol-port.ts'
export { PROTOCOL_VERSION, type ProtocolVersion, parseProtocolVersion } from './packet/protocol-version.ts'
export {
  openReceipt,
  RECEIPT_LENGTH,
  type Receipt,
  type ReceiptKeys,
  type ReceiptVerdict,
} from './packet/receipt.ts'
export type { FwknopDigest, ReplayDigest } from './packet/replay-digest.ts'
export { type SealFailure, type SealOptions, sealPacket } from './packet/seal.ts'
export { type PacketFailure, type StrictnessRule, strictnessRules } from './packet/strictness.ts'
export { parseUsername } from './packet/username.ts'
export { MAX_USERNAME_LENGTH, MAX_WIRE_LENGTH, MIN_GPG_LENGTH, MIN_WIRE_LENGTH } from './packet/wire-limits.ts'
export type { Failure, Ok, Refused, Result } from './result.ts'
export { type Port, parsePort, port, type Seconds, seconds, type UnixSeconds, unixSeconds } from './units.ts'
