/**
 * `ghostport/packet`: the SPA packets of fwknop, made and opened. Pure: no I/O, no clock, no random numbers; the same in
 * Node and in a browser. The format is specified in `docs/WIRE.md`.
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
export { type Decrypted, decrypt } from './packet/decrypt.ts'
export { DIGEST_TYPES, type DigestType, parseDigestType } from './packet/digest-type.ts'
export { ENCRYPTION_MODES, type EncryptionMode, parseEncryptionMode } from './packet/encryption-mode.ts'
export {
  type Envelope,
  type HttpAcceptance,
  MAX_WIRE_LENGTH,
  MIN_GPG_LENGTH,
  MIN_WIRE_LENGTH,
  parseEnvelope,
} from './packet/envelope.ts'
export {
  type DecodedFields,
  type FieldFailure,
  type MessageFields,
  type MessageType,
  parseFields,
} from './packet/fields.ts'
export { encodeHttpRequest, type HttpRequestOptions, parseHttpRequest, type SpaRequest } from './packet/http.ts'
export { EncryptionKey, HmacKey, sameKey } from './packet/key.ts'
export { type KeyKind, parseKeyBase64, parseKeyText } from './packet/key-text.ts'
export type {
  AccessMessage,
  CommandMessage,
  HostName,
  LocalNatMessage,
  Message,
  NatAccessMessage,
  NatTarget,
  Protocol,
  ProtocolPort,
  RequestedSource,
  Username,
} from './packet/message.ts'
export { type OutgoingMessage, parseMessage } from './packet/message-fields.ts'
export { isHostName, parseHostName, parseNatHost } from './packet/nat-target.ts'
export { type OpenedPacket, type OpenFailure, type OpenOptions, openPacket, type PacketKeys } from './packet/open.ts'
export { formatProtocolPorts, parseProtocolPort, parseProtocolPorts } from './packet/protocol-port.ts'
export { PROTOCOL_VERSION, type ProtocolVersion, parseProtocolVersion } from './packet/protocol-version.ts'
export type { FwknopDigest, ReplayDigest } from './packet/replay-digest.ts'
export { type SealOptions, sealPacket } from './packet/seal.ts'
export { type PacketFailure, type StrictnessRule, strictnessRules } from './packet/strictness.ts'
export { MAX_USERNAME_LENGTH, parseUsername } from './packet/username.ts'
export type { Failure, Ok, Refused, Result } from './result.ts'
export { type Port, parsePort, port, type Seconds, seconds, type UnixSeconds, unixSeconds } from './units.ts'
