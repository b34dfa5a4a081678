/** User names (docs/WIRE.md § 4): for the log and REQUIRE_USERNAME. The keys decide who may do what. */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Username } from './message.ts'
import { MAX_USERNAME_LENGTH } from './wire-limits.ts'

/** Printable ASCII without the characters that fwknop forbids, such as the separators of its files and messages. */
const ALLOWED = /^[^"/\\[\]:;|=,+*?<>]+$/
const PRINTABLE = /^[\x20-\x7e]+$/

/**
 * Reads a user name that a packet can carry.
 * @param text 1 to 48 printable ASCII characters, with none of `"/\[]:;|=,+*?<>`.
 * @returns the user name, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseUsername } from 'ghostport/packet'
 *
 * const result = parseUsername('ada')
 * console.log(result.ok && result.value) // ada
 * const refused = parseUsername('a:b')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseUsername(text: string): Result<Username, Failure<'VALUE_INVALID'>> {
  if (text === '') return refuse('VALUE_INVALID', 'a user name may not be empty')
  if (!PRINTABLE.test(text)) return refuse('VALUE_INVALID', 'a user name is made of printable ASCII characters')
  if (!ALLOWED.test(text)) return refuse('VALUE_INVALID', `“${text}” has a character that a user name may not have`)
  if (text.length > MAX_USERNAME_LENGTH)
    return refuse('VALUE_INVALID', `a user name has at most ${MAX_USERNAME_LENGTH} characters, not ${text.length}`)
  return ok(text as Username)
}
