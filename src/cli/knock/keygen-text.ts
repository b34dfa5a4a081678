/** What `ghostport keygen` prints: one pair of keys, as lines, as stanzas for both ends, or as JSON. */
import type { StanzaName } from '../../access/stanza-name.ts'
import { DEFAULT_DIGEST_TYPE, type DigestType } from '../../packet/digest-type.ts'

/** Padded base64, as `fwknop --key-gen` prints. */
export interface KeyTexts {
  readonly key: string
  readonly hmacKey: string
  readonly hmacDigestType: DigestType
}

/** What the stanzas say besides the keys. */
export interface StanzaWishes {
  /** NAME of the server's stanza. */
  readonly name?: StanzaName | undefined
  /** SPA_SERVER of the client's stanza. */
  readonly server?: string | undefined
  /** The name of the client's stanza, if it is not the server's. */
  readonly alias?: string | undefined
  /** `tcp/22`. */
  readonly ports: string
}

/** The two lines that both ends understand. */
export function keyLines(keys: KeyTexts): string {
  return settingsOf(keys)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}

/** The server's half. */
export function accessStanza(keys: KeyTexts, { name, ports }: StanzaWishes): string {
  return columns([
    ['SOURCE', 'ANY'],
    ...(name === undefined ? [] : [['NAME', name] as const]),
    ['OPEN_PORTS', ports],
    ...settingsOf(keys),
  ])
}

/** The client's half. */
export function rcStanza(keys: KeyTexts, { server, alias, ports }: StanzaWishes): string {
  const settings = columns([
    ['SPA_SERVER', server ?? 'HOST'],
    ['ALLOW_IP', 'source'],
    ['ACCESS', ports],
    ...settingsOf(keys),
  ])
  return `[${alias ?? server ?? 'NAME'}]\n${settings}`
}

/** Comments that say which half is for which file. */
export const headings = {
  access: '# For the server: a stanza of access.conf.',
  rc: '# For the client: a stanza of ~/.fwknoprc (chmod 600).',
  placeholders: '# Write your server in place of NAME and HOST.',
} as const

/** What somebody who makes one half has to know. */
export const otherHalf = {
  access: 'The client needs a stanza with the same two keys: “ghostport keygen --pair” prints both.',
  rc: 'The server needs a stanza with the same two keys: “ghostport keygen --pair” prints both.',
} as const

export function keyJson({ key, hmacKey, hmacDigestType }: KeyTexts) {
  return { key_base64: key, hmac_key_base64: hmacKey, hmac_digest_type: hmacDigestType }
}

type Setting = readonly [name: string, value: string]

function settingsOf({ key, hmacKey, hmacDigestType }: KeyTexts): readonly Setting[] {
  // sha256 is what both ends take where nothing is said.
  const digest = hmacDigestType === DEFAULT_DIGEST_TYPE ? [] : [['HMAC_DIGEST_TYPE', hmacDigestType] as const]
  return [['KEY_BASE64', key], ['HMAC_KEY_BASE64', hmacKey], ...digest]
}

function columns(settings: readonly Setting[]): string {
  return settings.map(([name, value]) => `${name.padEnd(20)}${value}`).join('\n')
}
