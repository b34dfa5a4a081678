/**
 * How long a packet is, how it begins, and how much the fields of its message can hold (docs/WIRE.md § 1–6). The
 * parser of packets keeps these limits. So do the kernel's filter and the warden's reader of what the receiver
 * reports.
 */

/** The fewest characters of a packet on the wire; fwknopd looks at none outside of these two. */
export const MIN_WIRE_LENGTH = 140
/** The most characters of a packet on the wire. */
export const MAX_WIRE_LENGTH = 1500

/** From this many characters on, fwknopd takes a packet for GnuPG's (docs/WIRE.md § 7). */
export const MIN_GPG_LENGTH = 400

/**
 * `U2FsdGVkX1`: base64 of `Salted__` as far as it is the same for every salt. Sent by nobody, yet covered by the HMAC.
 */
export const WIRE_PREFIX = 'U2FsdGVkX1'

/**
 * `hQ`: base64 of the first 12 bits of a GnuPG message to an RSA or Elgamal key. Sent by nobody, yet covered by the
 * HMAC. A message to another kind of key begins otherwise, and has no form on the wire (docs/WIRE.md § 7).
 */
export const GNUPG_PREFIX = 'hQ'

/** `8`, `9`, `+`, `/`: the first character that is sent holds the last four bits of `Salted__`, and two of the salt. */
export const SALTED_STARTS: readonly number[] = [0x38, 0x39, 0x2b, 0x2f]

/** Digits of the random value. */
export const RANDOM_DIGITS = 16
/** Digits of the time: Unix seconds. */
export const TIME_DIGITS = 12
/** Unix seconds. */
export const MAX_TIME = 10 ** TIME_DIGITS - 1
/** Characters of the protocol version. */
export const MAX_VERSION_LENGTH = 8
/** Seconds: fwknopd's limit, one more than the largest 16-bit number. */
export const MAX_CLIENT_TIMEOUT = 65_536

/** Base64 characters of a user name. */
export const MAX_ENCODED_USERNAME = 64
/** Base64 characters of any other text: message, NAT target, server authentication. */
export const MAX_ENCODED_TEXT = 256
/** Characters of a user name. */
export const MAX_USERNAME_LENGTH = bytesIn(MAX_ENCODED_USERNAME)
/** Bytes of any other text. */
export const MAX_TEXT_LENGTH = bytesIn(MAX_ENCODED_TEXT)
/** Characters of the host of a NAT target. */
export const MAX_NAT_HOST_LENGTH = 70
/** Ports of one request: the text has no room for more. */
export const MAX_PORTS = Math.floor(MAX_TEXT_LENGTH / 'tcp/1,'.length)

/** Four characters of base64 hold three bytes. */
function bytesIn(characters: number): number {
  return (characters / 4) * 3
}
