/** Between text and bytes. */
const encoder = new TextEncoder()
/** Half of a surrogate pair without the other half: not a character. */
const HALF = /([\ud800-\udfff])/u
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** @returns undefined if the bytes are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Each byte becomes one character of the same code: for text known to be ASCII, and to show bytes as they came. */
export function latin1Text(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0)
  return text
}

/** The reverse of {@link latin1Text}. @returns undefined if a character does not fit a byte. */
export function latin1Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255) return undefined
    bytes[i] = code
  }
  return bytes
}

/**
 * Text of bytes whose encoding is unknown. Bytes that are UTF-8 become their text. Each other byte becomes a character
 * from U+DC80 to U+DCFF, which no real text has. Nothing is lost: {@link bytesFromText} gives the bytes back, and
 * different bytes become different texts.
 */
export function textFromBytes(bytes: Uint8Array): string {
  const whole = decodeText(bytes)
  if (whole !== undefined) return whole
  let text = ''
  let start = 0
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    i += Math.max(length, 1)
    if (length > 0 && i < bytes.length) continue
    const end = length > 0 ? i : i - 1
    text += decodeText(bytes.subarray(start, end)) ?? ''
    if (length === 0) text += String.fromCharCode(0xdc00 + (bytes[end] ?? 0))
    start = i
  }
  return text
}

/** The reverse of {@link textFromBytes}. @returns undefined if half of a surrogate pair does not stand for a byte. */
export function bytesFromText(text: string): Uint8Array | undefined {
  if (!HALF.test(text)) return encoder.encode(text)
  const bytes: number[] = []
  for (const piece of text.split(HALF)) {
    const code = piece.charCodeAt(0)
    if (piece.length === 1 && code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00)
    else if (piece.length === 1 && code >= 0xd800 && code <= 0xdfff) return undefined
    else for (const byte of encoder.encode(piece)) bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

/** Removes ASCII blanks at both ends. To fwknop, every other byte is part of a key. */
export function trimBlanks(text: string): string {
  return text.replace(/^[\t\v\f\r ]+|[\t\v\f\r ]+$/g, '')
}

/** The text as printable ASCII: quotation marks as it has them; each other character is a `?`. */
export function asAscii(text: string): string {
  return text
    .replace(/[‘’]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/[^\x20-\x7e]/g, '?')
}

/** Whether the whole text can be written as UTF-8. */
export function isUnicode(text: string): boolean {
  return !HALF.test(text)
}

/** For people: shows bytes that are not text as `\xfc`. */
export function showText(text: string): string {
  return text.replace(new RegExp(HALF, 'gu'), (half) => {
    const code = half.charCodeAt(0)
    return code >= 0xdc80 && code <= 0xdcff ? `\\x${(code - 0xdc00).toString(16)}` : '\uFFFD'
  })
}

/**
 * Control characters; characters that turn, hide or show as nothing; other line ends; and characters without a standard
 * shape. Terminals and pages do not show these reliably.
 */
const UNPRINTABLE = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu
/** Printable ASCII, as nearly all text is: a quick check before the Unicode classes. */
const PLAIN = /^[\x20-\x7e]*$/
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/**
 * For people, in one line of a terminal, a log or a page. Text from outside must not move the cursor, set colours,
 * turn, hide or end anything there. Each such character is shown as its number: `\x1b`, `\u{202e}`. Letters of all
 * languages stay. Bytes that are not text are shown as by {@link showText}. Printable text is returned unchanged.
 */
export function printable(text: string): string {
  if (PLAIN.test(text)) return text
  return showText(text).replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0
    const number = code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
    return SHORT_NAMES.get(character) ?? number
  })
}

/**
 * For programs, and for people who look at their output: JSON in one line. Characters that {@link printable} would
 * replace are escaped as in JSON (`\u001b`, `\u202e`). A program reads the exact value; a terminal sees nothing
 * harmful.
 */
export function jsonLine(value: unknown): string {
  const plain = JSON.stringify(value)
  // Without this, half of a surrogate pair would be written as an escape.
  if (PLAIN.test(plain) && !/\\ud[89a-f]/.test(plain)) return plain
  const json = JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? showText(part) : part))
  return json.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, unit) => {
      const code = character.charCodeAt(unit)
      return `\\u${code.toString(16).padStart(4, '0')}`
    }).join(''),
  )
}

/** How many bytes the character at `i` has in UTF-8: 1 to 4, or 0 if there is none (RFC 3629 § 4). */
function sequenceLength(bytes: ArrayLike<number>, i: number): number {
  const at = (offset: number): number => bytes[i + offset] ?? 0
  const lead = at(0)
  if (lead < 0x80) return 1
  if (lead < 0xc2 || lead > 0xf4) return 0
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  // Not a longer spelling of a shorter sequence, not half of a surrogate pair, not above U+10FFFF.
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (at(1) < low || at(1) > high) return 0
  for (let n = 2; n < length; n++) if ((at(n) & 0xc0) !== 0x80) return 0
  return length
}

/**
 * The length of the last character in bytes: as UTF-8, or else 1 for a byte of an unknown encoding. 0 if there are no
 * bytes.
 */
export function lastCharacterLength(bytes: ArrayLike<number>): number {
  for (let length = 2; length <= 4 && length <= bytes.length; length++)
    if (sequenceLength(bytes, bytes.length - length) === length) return length
  return Math.min(1, bytes.length)
}

/** Whether each byte is a printable ASCII character, including the space (0x20–0x7E). */
export function isPrintableAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte < 0x20 || byte > 0x7e) return false
  }
  return true
}
