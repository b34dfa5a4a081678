/**
 * What was pasted, scanned or read from a file → profiles. Knows the line `ghostport://profile/…`, and the text that
 * fwknop's QR codes have: the keys alone. (A `.fwknoprc` is read by a part of its own.)
 */
import type { RcChange } from '../../../src/config/client/edit-fwknoprc.ts'
import { isFleetProfile } from '../../../src/config/client/fleet-profile.ts'
import { readClientSetting } from '../../../src/config/client/fwknoprc-settings.ts'
import { parseProfile } from '../../../src/config/client/profile.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import { type NewProfile, newProfile } from './kept.ts'

/**
 * What a text turned out to be. `keys`: all else must be typed. `rc`, `fleet`: text for the readers of `.fwknoprc`.
 * `access`: the server's half.
 */
export type Found =
  | { readonly kind: 'profile'; readonly profile: NewProfile }
  | { readonly kind: 'keys'; readonly settings: readonly RcChange[] }
  | { readonly kind: 'rc' | 'fleet' | 'access'; readonly text: string }

/** A larger file is not one of ours, and would only make the page slow. */
export const MOST_CHARACTERS = 100_000

/** @returns what it is; a failure never quotes a key. */
export function readText(text: string): Result<Found, Failure> {
  const trimmed = text.replace(/^\uFEFF/, '').trim()
  if (trimmed === '') return refuse('PROFILE_INVALID', 'there is no text')
  if (trimmed.length > MOST_CHARACTERS)
    return refuse('PROFILE_INVALID', `the text has ${trimmed.length} characters, and no profile is that long`)
  if (/^\s*\[[^\]\n]*\]/m.test(trimmed)) return ok({ kind: 'rc', text: trimmed })
  if (/^[\t ]*SOURCE:?[\t ]+\S/m.test(trimmed)) return ok({ kind: 'access', text: trimmed })
  if (/^\s*(HMAC_)?KEY(_BASE64)?:/.test(trimmed)) return readKeys(trimmed)
  if (isFleetProfile(trimmed)) return ok({ kind: 'fleet', text: trimmed })
  const profile = parseProfile(trimmed)
  if (!profile.ok) return profile
  const { name, settings, made, until } = profile.value
  return ok({ kind: 'profile', profile: newProfile(name, settings, made, until) })
}

const KEY_NAMES = ['KEY', 'KEY_BASE64', 'HMAC_KEY', 'HMAC_KEY_BASE64'] as const

/** `KEY_BASE64:… HMAC_KEY_BASE64:…`: what fwknop's clients for phones and desktops pass on. */
function readKeys(text: string): Result<Found, Failure> {
  const settings: RcChange[] = []
  for (const word of text.split(/\s+/)) {
    const at = word.indexOf(':')
    const name = KEY_NAMES.find((it) => it === word.slice(0, at))
    if (name === undefined) return refuse('PROFILE_INVALID', 'a word is not NAME:KEY, as in fwknop’s QR codes')
    if (settings.some((it) => it.name.startsWith('HMAC') === name.startsWith('HMAC')))
      return refuse('PROFILE_INVALID', 'the same key is there twice')
    const value = word.slice(at + 1)
    if (!readClientSetting(name, value).ok) return refuse('PROFILE_INVALID', `${name}: the key cannot be used`)
    settings.push({ name, value })
  }
  if (!settings.some(({ name }) => name === 'KEY' || name === 'KEY_BASE64'))
    return refuse('PROFILE_INVALID', 'the encryption key is missing: was the whole text copied?')
  return ok({ kind: 'keys', settings })
}
