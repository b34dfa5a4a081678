/** The text of a kept profile → a profile. Strict, since an import comes from a file. Pure. */
import type { RcChange } from '../../../src/config/client/edit-fwknoprc.ts'
import { isClientSetting } from '../../../src/config/client/fwknoprc-settings.ts'
import { parseGatewayUrl, parseTarget } from '../profile/gateway-url.ts'
import { type GnupgPair, type KeptProfile, settingsOf } from '../profile/kept.ts'
import { parseLink } from '../profile/links.ts'

/** @returns undefined for everything that this page would not have written. */
export function readKept(text: string): KeptProfile | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return asKept(value)
}

export function asKept(value: unknown): KeptProfile | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, name, settings, made, until, gateways, target, links, echoes, gnupg } = value as Record<string, unknown>
  if (typeof id !== 'string' || !/^[A-Za-z0-9-]{1,64}$/.test(id)) return undefined
  if (typeof name !== 'string' || name === '' || name.length > 200) return undefined
  const texts = listOf(settings, asSetting)
  if (texts === undefined || !settingsOf(texts).ok) return undefined
  if (!isTime(made) || (until !== undefined && !isTime(until))) return undefined
  const urls = listOf(gateways, asParsed(parseGatewayUrl))
  const points = listOf(echoes, asParsed(parseGatewayUrl))
  const addresses = listOf(links, asParsed(parseLink))
  if (urls === undefined || points === undefined || addresses === undefined) return undefined
  const pair = gnupg === undefined ? undefined : asPair(gnupg)
  if (gnupg !== undefined && pair === undefined) return undefined
  if (target !== '' && asParsed(parseTarget)(target) === undefined) return undefined
  return {
    id,
    name,
    settings: texts,
    made,
    ...(until !== undefined && { until }),
    gateways: urls,
    target: target as string,
    links: addresses,
    echoes: points,
    ...(pair !== undefined && { gnupg: pair }),
  }
}

function asPair(value: unknown): GnupgPair | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { recipient, signer } = value as Record<string, unknown>
  if (typeof recipient !== 'string') return undefined
  return typeof signer === 'string' ? { recipient, signer } : { recipient }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function listOf<T>(value: unknown, read: (one: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > 50) return undefined
  const all = value.map(read)
  return all.every((it) => it !== undefined) ? all : undefined
}

function asSetting(value: unknown): RcChange | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, value: text } = value as Record<string, unknown>
  return typeof name === 'string' && isClientSetting(name) && typeof text === 'string'
    ? { name, value: text }
    : undefined
}

function asParsed(parse: (text: string) => { ok: true; value: string } | { ok: false }) {
  return (value: unknown): string | undefined => {
    const read = typeof value === 'string' ? parse(value) : { ok: false as const }
    return read.ok ? read.value : undefined
  }
}
