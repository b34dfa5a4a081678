/** A stanza as others can read it: text of an rc file, the line of a profile, and its QR code. All hold the keys. */
import type { RcChange } from '../config/client/edit-fwknoprc.ts'
import { formatProfile, PROFILE_SETTINGS, parseProfile, profileStanza } from '../config/client/profile.ts'
import { isStanzaName } from '../config/client/profile-url.ts'
import { unixSeconds } from '../units.ts'

export interface Exported {
  readonly rc: string
  readonly uri: string | null
  /** The other half, for the server. */
  readonly access: string
  /** Why there is no line. */
  readonly whyNoUri: string | null
  /** Rows of `0` and `1`; null: it would be too large. */
  readonly qr: readonly string[] | null
}

/** These say how this device works, and mean nothing to another. */
const OF_THIS_DEVICE = /^(?:VERBOSE|NO_SAVE_ARGS|WGET_CMD|USE_WGET_USER_AGENT|.*_FILE|GPG_.*|HTTP_PROXY.*)$/
export async function exportOf(
  name: string,
  settings: readonly RcChange[],
  qrCode: (text: string) => Promise<readonly (readonly boolean[])[] | undefined>,
): Promise<Exported> {
  const passed = settings.filter((it) => !OF_THIS_DEVICE.test(it.name))
  const profile = { name: isStanzaName(name) ? name : 'profile', settings: passed, made: unixSeconds(0) }
  const rc = `${profileStanza({ ...profile, name })}\n`
  const left = passed.map((it) => it.name).filter((setting) => !PROFILE_SETTINGS.has(setting))
  const line = formatProfile(profile)
  const read = parseProfile(line)
  const whyNoUri =
    left.length > 0
      ? `a profile has no field for ${left.join(', ')}`
      : read.ok
        ? settings.some((it) => it.name === 'GPG_RECIPIENT')
          ? 'a profile has no GnuPG keys'
          : null
        : read.failure.detail
  const uri = whyNoUri === null ? line : null
  const code = await qrCode(uri ?? rc)
  return {
    rc,
    uri,
    access: accessStanza(profile.name, passed),
    whyNoUri,
    qr: code?.map((row) => row.map((dark) => (dark ? '1' : '0')).join('')) ?? null,
  }
}

/** What the server has to know of the same keys (docs/CONFIG.md). */
function accessStanza(name: string, settings: readonly RcChange[]): string {
  const value = (setting: string) => settings.find((it) => it.name === setting)?.value
  const shared = ['KEY', 'KEY_BASE64', 'HMAC_KEY', 'HMAC_KEY_BASE64', 'HMAC_DIGEST_TYPE', 'ENCRYPTION_MODE']
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['SOURCE', 'ANY'],
    ['NAME', name],
    ['OPEN_PORTS', value('ACCESS')],
    ...shared.map((setting) => [setting, value(setting)] as const),
  ]
  return lines.flatMap(([setting, text]) => (text === undefined ? [] : [`${setting.padEnd(20)}${text}\n`])).join('')
}
