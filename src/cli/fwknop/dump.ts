/** What `fwknop` shows of a packet with `-T` and `-v`: the names and the order of the fields are fwknop's. */
import type { SignatureReport } from '../../access/signature.ts'
import { latin1Text } from '../../bytes/text.ts'
import type { GnupgKeys, Keys } from '../../client/keys.ts'
import type { SealedKnock } from '../../client/knock.ts'
import { DEFAULT_DIGEST_TYPE, type DigestType, encodedDigestLength } from '../../packet/digest-type.ts'
import type { EncryptionMode } from '../../packet/encryption-mode.ts'
import { encodeFields, type MessageFields, type MessageType } from '../../packet/fields.ts'
import { encodeMessage } from '../../packet/message-fields.ts'
import { isPerlEra } from '../../packet/protocol-version.ts'

/** libfko's numbers. */
const digestNumbers: Readonly<Record<DigestType, number>> = {
  md5: 1,
  sha1: 2,
  sha256: 3,
  sha384: 4,
  sha512: 5,
  sha3_256: 6,
  sha3_512: 7,
}
const modeNumbers: Readonly<Record<EncryptionMode, number>> = { ECB: 1, CBC: 2, CFB: 3, OFB: 5, CTR: 6, legacy: 8 }
const typeNames: Readonly<Record<MessageType, string>> = {
  0: 'Command msg',
  1: 'Access msg',
  2: 'NAT access msg',
  3: 'Client timeout access msg',
  4: 'Client timeout NAT access msg',
  5: 'Local NAT access msg',
  6: 'Client timeout local NAT access msg',
  90: 'Close msg',
}

/** What gpg is called with for a packet, in fwknop’s order. */
function gnupgRows({ signer, recipient, home, program }: GnupgKeys, signature?: SignatureReport): readonly string[] {
  return [
    row('GPG signer', signer ?? '<NULL>'),
    row('GPG recipient', recipient),
    ...(signature === undefined ? [] : signatureRows(signature)),
    row('GPG home dir', home),
    row('GPG exe', program),
  ]
}

/** fwknop says “Yes” before it has verified anything; here it is the result. */
function signatureRows(signature: SignatureReport): readonly string[] {
  const verified = signature.kind === 'verified' ? signature : undefined
  const fingerprint = verified?.fingerprint
  return [
    row('GPG sig verify', verified?.state === 'good' ? 'Yes' : `No (${verified?.state ?? reasonOf(signature)})`),
    row('GPG sig ID', fingerprint?.slice(-8) ?? '<NULL>'),
    row('GPG sig fpr', fingerprint ?? '<NULL>'),
  ]
}

function reasonOf(signature: SignatureReport): string {
  return signature.kind === 'unverified' ? signature.why : 'not signed'
}

/** How the packet was made. */
export interface Making {
  readonly keys: Keys
  readonly digestType?: DigestType | undefined
  /** `3.0.0`. */
  readonly protocol: string
}

/** A field, by fwknop’s name for it. */
export function row(name: string, value: string | number): string {
  return `${name.padStart(15)}: ${value}`
}

function numbered(number: number, name: string): string {
  return `${number} (${name})`
}

/** The fields of a message, in fwknop’s order. @param serverAuth as it may be shown. */
export function fieldRows(fields: MessageFields, serverAuth: string): readonly string[] {
  return [
    'SPA Field Values:',
    '=================',
    row('Random Value', fields.randVal),
    row('Username', fields.username),
    row('Timestamp', fields.timestamp),
    row('FKO Version', fields.version),
    row('Message Type', numbered(fields.messageType, typeNames[fields.messageType])),
    row('Message String', fields.message),
    row('Nat Access', fields.natAccess ?? '<NULL>'),
    row('Server Auth', serverAuth),
    row('Client Timeout', fields.clientTimeout),
  ]
}

/** The fields of a packet that was made. */
export function dumpOf({ message, text }: SealedKnock, { keys, digestType, protocol }: Making): readonly string[] {
  return dump(encodeMessage(message, protocol), text, { keys, digestType, protocol })
}

/**
 * @param text the packet as it goes over the wire.
 * @param decoded a packet that was opened again is shown without its HMAC, as in fwknop. By GnuPG, its signature is
 * shown.
 */
export function dump(
  fields: MessageFields,
  text: string,
  { keys, digestType = DEFAULT_DIGEST_TYPE, protocol }: Making,
  decoded?: { readonly signature?: SignatureReport },
): readonly string[] {
  const { encryption, hmac } = keys
  const plaintext = latin1Text(encodeFields(fields, { digestType, padded: isPerlEra(protocol) }))
  const cut = plaintext.lastIndexOf(':')
  const tagLength = hmac === undefined ? 0 : encodedDigestLength(hmac.type)
  const digest = (type: DigestType): string => numbered(digestNumbers[type], type.toUpperCase())
  return [
    ...fieldRows(fields, fields.serverAuth ?? '<NULL>'),
    row('Digest Type', digest(digestType)),
    row('HMAC Type', hmac === undefined ? '0 (None)' : digest(hmac.type)),
    row('Encryption Type', encryption.kind === 'symmetric' ? '1 (Rijndael)' : '2 (GPG)'),
    row(
      'Encryption Mode',
      encryption.kind === 'symmetric' ? numbered(modeNumbers[encryption.mode], encryption.mode) : '7 (Asymmetric)',
    ),
    ...(encryption.kind === 'gnupg' ? gnupgRows(encryption, decoded?.signature) : []),
    row('Encoded Data', plaintext.slice(0, cut)),
    row('SPA Data Digest', plaintext.slice(cut + 1)),
    row('HMAC', tagLength === 0 ? '<NULL>' : text.slice(-tagLength)),
    row('Final SPA Data', decoded !== undefined ? text.slice(0, text.length - tagLength) : text),
    '',
  ]
}
