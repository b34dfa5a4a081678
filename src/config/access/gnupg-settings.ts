/** How the values of the GPG_ settings of a stanza read. */
import { type Fingerprint, type GnupgKeyId, parseFingerprint, parseGnupgKeyId } from '../../access/signature.ts'
import { isUnicode } from '../../bytes/text.ts'
import { ok, type Result } from '../../result.ts'
import { invalidValue, type ValueFailure } from '../reading/setting-values.ts'

/** Characters. */
const LONGEST_NAME = 128

/** A path of GPG_HOME_DIR or GPG_EXE. */
export function gnupgPath(text: string): Result<string, ValueFailure> {
  if (!isUnicode(text)) return invalidValue(`the path “${text}” is not UTF-8`)
  return text.startsWith('/') ? ok(text) : invalidValue(`“${text}” is not an absolute path`)
}

/**
 * Fingerprints, ids or mail addresses, with commas between; or one other name that gpg finds a key by, in which a comma
 * is part of the name.
 */
export function gnupgKeyNames(text: string): Result<readonly string[], ValueFailure> {
  if (!isUnicode(text) || !/^[^\p{C}]{1,1000}$/u.test(text)) return invalidValue(`“${text}” is not the name of a key`)
  const parts = text.split(',').map((part) => part.trim())
  const names = parts.every((part) => /^(?:0x)?[0-9a-f]{8,64}$|^[^\s@]+@[^\s@]+$/i.test(part)) ? parts : [text]
  const long = names.find((name) => [...name].length > LONGEST_NAME)
  return long === undefined ? ok([...new Set(names)]) : invalidValue(`“${long}” is too long for the name of a key`)
}

export function fingerprints(text: string): Result<readonly Fingerprint[], ValueFailure> {
  return listOfKeys(text, parseFingerprint, 'a fingerprint: 40 digits 0-9 A-F, without blanks (gpg --fingerprint)')
}

export function remoteIds(text: string): Result<readonly GnupgKeyId[], ValueFailure> {
  return listOfKeys(text, parseGnupgKeyId, 'the id of a key: 8 or 16 digits 0-9 A-F')
}

/** fwknopd compares text: what differs from gpg's own spelling there never matches. Here it is refused. */
function listOfKeys<T>(
  text: string,
  parse: (text: string) => T | undefined,
  what: string,
): Result<readonly T[], ValueFailure> {
  const keys: T[] = []
  for (const item of text.split(',').map((part) => part.trim())) {
    const key = parse(item)
    if (key === undefined) {
      const meant = item.replace(/^0x/i, '').replaceAll(/[\s:]/g, '').toUpperCase()
      return invalidValue(`“${item}” is not ${what}`, parse(meant) === undefined ? undefined : meant)
    }
    keys.push(key)
  }
  return ok(keys)
}
