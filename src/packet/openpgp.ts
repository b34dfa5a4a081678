/**
 * The outline of an OpenPGP message, as far as anybody can see it (RFC 9580 § 4.2): session keys, each for the key of a
 * recipient, then the encrypted data, and nothing behind. What has no such outline need not be decrypted: junk costs no
 * process.
 */

/** Public-key encrypted session key; encrypted and protected data, versions 1 and 2; GnuPG's own form of that. */
const SESSION_KEY = 1
const ENCRYPTED_DATA = [18, 20]
/** A session key for more recipients does not fit a packet. */
const MOST_RECIPIENTS = 8
/** Version, key id, algorithm. */
const SESSION_KEY_HEAD = 10
const SESSION_KEY_VERSION = 3
/** The random block, and a digest. */
const SHORTEST_DATA = 36

/**
 * @param message binary.
 * @returns the ids of the recipients' keys, 16 hexadecimal digits in capitals, all zeros for a hidden one; undefined
 * where it is no encrypted message.
 */
export function recipientsOf(message: Uint8Array): readonly string[] | undefined {
  const recipients: string[] = []
  for (let at = 0; ; ) {
    const part = readPart(message, at)
    if (part === undefined) return undefined
    if (ENCRYPTED_DATA.includes(part.tag)) {
      const isLast = part.end === message.length && part.end - at > SHORTEST_DATA
      return isLast && recipients.length > 0 ? recipients : undefined
    }
    const recipient = part.tag === SESSION_KEY ? recipientIn(message.subarray(part.start, part.end)) : undefined
    if (recipient === undefined || recipients.length === MOST_RECIPIENTS) return undefined
    recipients.push(recipient)
    at = part.end
  }
}

function recipientIn(sessionKey: Uint8Array): string | undefined {
  if (sessionKey.length <= SESSION_KEY_HEAD || sessionKey[0] !== SESSION_KEY_VERSION) return undefined
  return [...sessionKey.subarray(1, 9)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')
}

interface Part {
  readonly tag: number
  /** Of its contents. */
  readonly start: number
  readonly end: number
}

/** @returns undefined where no part is, or where it goes beyond the end. */
function readPart(message: Uint8Array, at: number): Part | undefined {
  const head = message[at] ?? 0
  if ((head & 0x80) === 0) return undefined
  const part = (head & 0x40) === 0 ? readOldPart(message, at, head) : readNewPart(message, at, head & 0x3f)
  return part !== undefined && part.end <= message.length && part.end > part.start ? part : undefined
}

/** The length is of 1, 2 or 4 bytes. A part that ends with the message has none, and gpg does not write it so. */
function readOldPart(message: Uint8Array, at: number, head: number): Part | undefined {
  const size = [1, 2, 4][head & 3]
  if (size === undefined) return undefined
  const start = at + 1 + size
  return { tag: (head >> 2) & 0xf, start, end: start + numberAt(message, at + 1, size) }
}

/** The length may come in pieces, each before its part of the data. */
function readNewPart(message: Uint8Array, at: number, tag: number): Part | undefined {
  let start: number | undefined
  for (let next = at + 1; next < message.length; ) {
    const first = message[next] ?? 0
    const size = first < 192 ? 1 : first < 224 ? 2 : first === 255 ? 5 : 1
    const isPiece = first >= 224 && first < 255
    const length = isPiece
      ? 2 ** (first & 0x1f)
      : size === 1
        ? first
        : size === 2
          ? ((first - 192) << 8) + (message[next + 1] ?? 0) + 192
          : numberAt(message, next + 1, 4)
    start ??= next + size
    next += size + length
    if (!isPiece) return { tag, start, end: next }
  }
  return undefined
}

function numberAt(message: Uint8Array, at: number, size: number): number {
  let number = 0
  for (let i = 0; i < size; i++) number = number * 256 + (message[at + i] ?? 0)
  return number
}
