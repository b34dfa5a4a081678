/** Between text and bytes. */
const encoder = new TextEncoder()
/** Half of a surrogate pair without the other half: no character. */
const HALF = /([\ud800-\udfff])/u
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** @returns undefined for what is not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** One byte, one character of the same code: for text known to be ASCII, and for showing bytes as they came. */
export function latin1Text(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0)
  return text
}

/** The reverse of {@link latin1Text}. @returns undefined where a character does not fit a byte. */
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
 * Text of bytes that people wrote, in an encoding that nobody names: the text that the bytes spell in UTF-8, and for each
 * byte that is no part of UTF-8 the character U+DC80 to U+DCFF, which no text has. Nothing is lost: a key is bytes, and
 * {@link bytesFromText} gives them back. Different bytes are different texts.
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

/** The reverse of {@link textFromBytes}. @returns undefined where half of a surrogate pair stands for no byte. */
export function bytesFromText(text: string): Uint8Array | undefined {
  const bytes: number[] = []
  for (const piece of text.split(HALF)) {
    const code = piece.charCodeAt(0)
    if (piece.length === 1 && code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00)
    else if (piece.length === 1 && code >= 0xd800 && code <= 0xdfff) return undefined
    else bytes.push(...encoder.encode(piece))
  }
  return Uint8Array.from(bytes)
}

/** Without the blanks at both ends: those of ASCII, since to fwknop every other byte is part of a key. */
export function trimBlanks(text: string): string {
  return text.replace(/^[\t\v\f\r ]+|[\t\v\f\r ]+$/g, '')
}

/** Whether all of it can be written as UTF-8. */
export function isUnicode(text: string): boolean {
  return !HALF.test(text)
}

/** For people: bytes that are no text as `\xfc`. */
export function showText(text: string): string {
  return text.replace(new RegExp(HALF, 'gu'), (half) => {
    const code = half.charCodeAt(0)
    return code >= 0xdc80 && code <= 0xdcff ? `\\x${(code - 0xdc00).toString(16)}` : '\uFFFD'
  })
}

/**
 * Control characters, what turns or hides the text around it, what shows as nothing, other ends of lines, and what no standard
 * gives a shape: no terminal and no page may be relied on with these.
 */
const UNPRINTABLE = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu
/** Printable ASCII, as nearly all text is: the classes of Unicode need not be asked. */
const PLAIN = /^[\x20-\x7e]*$/
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/**
 * For people, in one line of a terminal, a log or a page: text from outside must not move the cursor, colour, turn, hide or end
 * anything there. Each such character is shown by its number: `\x1b`, `\u{202e}`. Letters of all languages stay as they are.
 * Bytes that are no text are shown as by {@link showText}. Printable text comes back as it is.
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
 * For programs, and for people who look at their output: JSON in one line, where a character that {@link printable} would replace is
 * escaped as JSON has it (`\u001b`, `\u202e`). A program reads the value itself; a terminal sees nothing harmful.
 */
export function jsonLine(value: unknown): string {
  const plain = JSON.stringify(value)
  // Half of a surrogate pair would be there as an escape.
  if (PLAIN.test(plain) && !/\\ud[89a-f]/.test(plain)) return plain
  const json = JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? showText(part) : part))
  return json.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, unit) => {
      const code = character.charCodeAt(unit)
      return `\\u${code.toString(16).padStart(4, '0')}`
    }).join(''),
  )
}

/** How many bytes the character at `i` has in UTF-8: 1 to 4, or 0 where there is none (RFC 3629 § 4). */
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

/** How many bytes at the end are one character: in UTF-8, or else a byte of whatever encoding. 0 where there is none. */
export function lastCharacterLength(bytes: ArrayLike<number>): number {
  for (let length = 2; length <= 4 && length <= bytes.length; length++)
    if (sequenceLength(bytes, bytes.length - length) === length) return length
  return Math.min(1, bytes.length)
}

/** Whether each byte is a printable ASCII character, the space among them (0x20–0x7E). */
export function isPrintableAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte < 0x20 || byte > 0x7e) return false
  }
  return true
}
