/**
 * Texts of a log while they are counted: one character for each byte. So nothing is decoded before it is shown, and
 * bytes that are not UTF-8 stay apart from each other.
 */
import { latin1Bytes, textFromBytes } from '../../bytes/text.ts'

const NOT_ASCII = /[\x80-\xff]/

/** The text itself: for patterns of the user, and to be shown. */
export function shownText(bytes: string): string {
  if (!NOT_ASCII.test(bytes)) return bytes
  return textFromBytes(latin1Bytes(bytes) ?? new Uint8Array())
}

/** The reverse, for text that came decoded. */
export function byteText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/**
 * A copy that shares nothing. V8 keeps a part of a text as a view of the whole: without this, a key that is kept would
 * keep the block of the log that it was in.
 */
export function ownCopy(bytes: string): string {
  // To take a part of a sum, V8 first writes the sum. A Buffer would do the same, and leave more garbage.
  return ` ${bytes}`.slice(1)
}
