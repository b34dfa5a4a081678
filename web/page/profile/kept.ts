/** A profile as this page keeps it: what `ghostport user add` gives out, and what the person who knocks adds here. */

import type { RcChange } from '../../../src/config/client/edit-fwknoprc.ts'
import { readClientSetting } from '../../../src/config/client/fwknoprc-settings.ts'
import type { ClientSettings, SettingLayer } from '../../../src/config/client/layer.ts'
import { settle } from '../../../src/config/client/layer.ts'
import { type Failure, ok, type Result } from '../../../src/result.ts'
import { parseGatewayUrl } from './gateway-url.ts'

export interface KeptProfile {
  readonly id: string
  readonly name: string
  /** Texts as `.fwknoprc` has them, keys among them. */
  readonly settings: readonly RcChange[]
  /** Unix seconds: when the keys were made; 0 where nobody said. */
  readonly made: number
  /** Unix seconds: when the server stops to accept them. */
  readonly until?: number
  /** Where the packet goes: base addresses of gateways, tried in this order. */
  readonly gateways: readonly string[]
  /** The name of the server at the gateways. */
  readonly target: string
  /** Set on this device alone: what to offer once the door is open. */
  readonly links: readonly string[]
  /** Set on this device alone: other services that say what the address of this device is. */
  readonly echoes: readonly string[]
  /** For a profile that GnuPG seals. */
  readonly gnupg?: GnupgPair
}

/** Keys of GnuPG, as armored text. */
export interface GnupgPair {
  /** The public key of the server. */
  readonly recipient: string
  /** The secret key of the person who knocks, without its passphrase: the profile is sealed. Absent: no signature. */
  readonly signer?: string
}

export type NewProfile = Omit<KeptProfile, 'id'>

/** A profile as it was read. Its gateways and its target have a place of their own here. */
export function newProfile(name: string, settings: readonly RcChange[], made = 0, until?: number): NewProfile {
  const gateways = textOf(settings, 'GATEWAY').split(',').map(parseGatewayUrl)
  return {
    name,
    settings: settings.filter((it) => it.name !== 'GATEWAY' && it.name !== 'GATEWAY_TARGET'),
    made,
    ...(until !== undefined && { until }),
    gateways: gateways.flatMap((it) => (it.ok ? [it.value] : [])),
    target: textOf(settings, 'GATEWAY_TARGET'),
    links: [],
    echoes: [],
  }
}

/** The settings that count; the failure names the setting. Never quotes a key. */
export function settingsOf(texts: readonly RcChange[]): Result<ClientSettings, Failure> {
  const layers: SettingLayer[] = []
  for (const { name, value } of texts) {
    const read = readClientSetting(name, value)
    if (!read.ok) return { ok: false, failure: { ...read.failure, detail: `${name}: ${read.failure.detail}` } }
    layers.push(read.value)
  }
  return ok(settle(layers))
}

/** The value of a setting, as it is written. */
export function textOf(texts: readonly RcChange[], name: RcChange['name']): string {
  return texts.find((it) => it.name === name)?.value ?? ''
}

/** The texts with another value; an empty one takes the setting away. */
export function withText(texts: readonly RcChange[], name: RcChange['name'], value: string): readonly RcChange[] {
  const others = texts.filter((it) => it.name !== name)
  return value.trim() === '' ? others : [...others, { name, value: value.trim() }]
}
