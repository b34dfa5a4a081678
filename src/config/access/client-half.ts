/**
 * From the text of an `access.conf` to what a client needs of each stanza. For people who have the server's half of a
 * key pair at hand, and no profile. Server and address are not in there: they are typed.
 */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { RcChange } from '../client/edit-fwknoprc.ts'
import { readClientSetting } from '../client/fwknoprc-settings.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import { stanzaSettingNames } from './access-setting-names.ts'

export interface ClientHalf {
  /** NAME of the stanza; else `stanza-1`, by its number. */
  readonly name: string
  readonly settings: readonly RcChange[]
}

/** What a setting of the server is called on the client. The values have the same form. */
const ON_CLIENT: Readonly<Record<string, RcChange['name']>> = {
  KEY: 'KEY',
  KEY_BASE64: 'KEY_BASE64',
  HMAC_KEY: 'HMAC_KEY',
  HMAC_KEY_BASE64: 'HMAC_KEY_BASE64',
  HMAC_DIGEST_TYPE: 'HMAC_DIGEST_TYPE',
  ENCRYPTION_MODE: 'ENCRYPTION_MODE',
  OPEN_PORTS: 'ACCESS',
  REQUIRE_USERNAME: 'SPOOF_USER',
}

/**
 * @returns the stanzas with a key of their own, in order; `PROFILE_INVALID` if there is none; the first line that is
 * wrong. A failure never quotes a key.
 */
export function clientHalves(text: string): Result<readonly ClientHalf[], Failure> {
  const lines = readSettingLines('the text', text, stanzaSettingNames)
  if (!lines.ok) return lines
  const stanzas: SettingLine[][] = []
  for (const line of lines.value) {
    if (line.name === 'SOURCE') stanzas.push([])
    stanzas.at(-1)?.push(line)
  }
  const halves: ClientHalf[] = []
  for (const [i, stanza] of stanzas.entries()) {
    const half = halfOf(stanza, i + 1)
    if (!half.ok) return half
    if (half.value.settings.some(({ name }) => name === 'KEY' || name === 'KEY_BASE64')) halves.push(half.value)
  }
  return halves.length > 0
    ? ok(halves)
    : refuse('PROFILE_INVALID', 'no stanza of this access.conf has an encryption key (KEY_BASE64) in it')
}

function halfOf(lines: readonly SettingLine[], number: number): Result<ClientHalf, Failure> {
  const settings = new Map<RcChange['name'], string>()
  for (const { name, value, at } of lines) {
    const called = ON_CLIENT[name]
    if (called === undefined) continue
    const written = called === 'ACCESS' ? value.replace(/[\t ]+/g, '') : value
    const read = readClientSetting(called, written)
    if (!read.ok) return { ok: false, failure: { ...read.failure, detail: `${name}: ${read.failure.detail}`, at } }
    settings.set(called, written)
  }
  const name = lines.find((line) => line.name === 'NAME')?.value ?? `stanza-${number}`
  return ok({ name, settings: [...settings].map(([setting, value]) => ({ name: setting, value })) })
}
