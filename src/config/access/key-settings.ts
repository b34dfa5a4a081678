/** Which settings of access.conf hold secrets, and whether a file has any of them. */
import { stanzaSettingNames } from './stanza-setting-names.ts'

/** What a file of `%include_keys` may hold: fwknop keeps it from being a way to change policy. */
export const KEY_FILE_SETTINGS: ReadonlySet<string> = new Set([
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'HMAC_DIGEST_TYPE',
  ...stanzaSettingNames.filter((name) => name.startsWith('GPG_')),
])

const SECRET = /^[\t\v\f\r ]*(?:(?:HMAC_)?KEY(?:_BASE64)?|GPG_DECRYPT_PW)(?![A-Za-z0-9_])/m

/** Whether any line sets a secret, be it well-formed or not. Comments do not count, as for fwknop's client. */
export function holdsKeys(text: string): boolean {
  return SECRET.test(text)
}
