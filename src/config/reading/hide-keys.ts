/**
 * What a failure may show of a file that holds keys. A key lands anywhere: on a line of its own, where it reads as the
 * name of a setting, or behind the wrong setting, where it reads as a bad value. Failures reach terminals, tickets and
 * the journal, so they show only what cannot be a key by its form; the line that is meant is named anyway.
 */
import { type Failure, type Refused, refuse, type SourceLocation } from '../../result.ts'
import { nearest } from './nearest.ts'

/** What a message shows instead of text that may be a key. */
const HIDDEN = '“…”'

/** In capitals, with a `_`: what people write who mean a variable, and no base64 is. */
const VARIABLE = /^%?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/
const LONGEST_VARIABLE = 32

/** Whether a word in the place of a name is a name, and not a key. */
export function isNameLike(word: string, known: readonly string[]): boolean {
  return (
    known.includes(word) ||
    nearest(word, known) !== undefined ||
    (word.length <= LONGEST_VARIABLE && VARIABLE.test(word))
  )
}

/**
 * @param kind `variable`, `setting`.
 * @returns CONFIG_UNKNOWN_KEY, with the name and the nearest right one where it may be told.
 */
export function refuseUnknownName(
  kind: string,
  name: string,
  known: readonly string[],
  at: SourceLocation,
): Refused<Failure<'CONFIG_UNKNOWN_KEY'>> {
  const meant = nearest(name, known)
  const detail = isNameLike(name, known)
    ? `there is no ${kind} ${name}`
    : `the line does not begin with the name of a ${kind}`
  return refuse('CONFIG_UNKNOWN_KEY', detail, { at, ...(meant === undefined ? {} : { suggestion: meant }) })
}

/** Forms of values that no key has, or none that is worth the name. */
const HARMLESS: readonly RegExp[] = [
  /^.{0,4}$/,
  // A number, a range of ports, a span of time.
  /^[+-]?[0-9]{1,10}(-[0-9]{1,10}|[a-z]{1,2})?$/i,
  // A protocol and port, in any spelling.
  /^[a-z]{2,4} ?[/: ] ?[0-9]{1,10}(-[0-9]{1,10})?$/i,
  /^[0-9]{1,10}[/:][a-z]{2,4}$/i,
  // A date.
  /^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}$/,
  // Addresses and networks, alone or with a port: in brackets, after a colon or a blank.
  /^\[?[0-9]{1,4}(\.[0-9]{0,4}){1,4}\]?(\/[0-9.]{0,15})?([: ][0-9-]{0,11})?$/,
  /^\[?(?=.*:.*:)[0-9a-f]{0,4}(:[0-9a-f]{0,4}){1,8}\]?(\/[0-9]{0,3})?([: ][0-9-]{0,11})?$/i,
]

function isHarmless(text: string): boolean {
  return HARMLESS.some((form) => form.test(text))
}

/** A right word that a reader knows, and not a piece of the value in another form. */
const WORD = /^[A-Za-z0-9_]+$/

/**
 * @param failure of a reader of values, which may quote what it was given.
 * @param value what it was given.
 * @returns the failure without those parts of the value that may be a key.
 */
export function withoutSecrets<F extends Failure>(failure: F, value: string): F {
  // These readers quote nothing, and may say what a placeholder is.
  if (failure.code === 'KEY_INVALID') return failure
  const { detail, suggestion, ...rest } = failure
  const meant = suggestion !== undefined && WORD.test(suggestion) ? [suggestion] : []
  const mayShow = (text: string): boolean => isHarmless(text) || nearest(text, meant) !== undefined
  const hidden = detail.replace(/“([^”]*)”/g, (quoted, text) =>
    !value.includes(text) || mayShow(text) ? quoted : HIDDEN,
  )
  // The readers are not trusted alone: here, any part of the value that is left is hidden. A date has “-” in it, and a
  // range of ports has two parts.
  const pieces = [/[\s,:=/[\]]+/, /[\s,:=/[\]-]+/]
    .flatMap((ends) => value.split(ends))
    .filter((piece) => !mayShow(piece))
  const tells = (text: string): boolean => pieces.some((piece) => text.includes(piece))
  const safe = {
    ...rest,
    detail: tells(hidden) ? 'it is not shown, since it may be a key' : hidden,
  }
  return (suggestion === undefined || tells(suggestion) ? safe : { ...safe, suggestion }) as F
}

/** A path as files are named, and not a key that begins with `/`: with an ending, or under a folder that hosts have. */
const PATH = /^([\w./ -]*\.[a-z]{1,5}|\/(etc|usr|var|run|opt|srv|home|root|tmp|mnt)\/[\w./ -]*)$/i

/** Whether a text in the place of a path may be shown. */
export function isPathLike(text: string): boolean {
  return PATH.test(text)
}
