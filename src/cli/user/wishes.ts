/** What `ghostport user add` is asked for: options to lines of the stanza. Pure. */
import type { StanzaName } from '../../access/stanza-name.ts'
import { stanzaSettings } from '../../config/access/access-settings.ts'
import { setting } from '../../config/access/edit-stanza.ts'
import { natTargetsValue } from '../../config/access/nat-targets.ts'
import type { RcChange } from '../../config/client/edit-fwknoprc.ts'
import { readClientSetting } from '../../config/client/fwknoprc-settings.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Port, parsePort, type UnixSeconds, unixSeconds } from '../../units.ts'
import type { Given } from './options.ts'

/** The stanza but for its keys. */
export interface StanzaWish {
  /** `tcp/22,udp/53`; absent: as the other stanzas have it. */
  readonly open?: string
  readonly lines: readonly string[]
  readonly expires?: UnixSeconds
  readonly spaPort?: Port
  /** What the profile says besides the server, the ports and the keys. */
  readonly client: readonly RcChange[]
}

type Wrong = Failure<'VALUE_INVALID'>

/** Option → setting of the stanza. Each value is judged as the server judges it. */
const SETTINGS = { time: 'FW_ACCESS_TIMEOUT', 'max-time': 'MAX_FW_TIMEOUT' } as const

/** The options that say what a stanza is like. */
export type WishOption = 'open' | 'source' | 'nat' | 'nat-targets' | 'time' | 'max-time' | 'spa-port' | 'expire'

export function parseWish(
  given: Pick<Given, WishOption>,
  name: StanzaName,
  now: UnixSeconds,
): Result<StanzaWish, Wrong> {
  const lines: string[] = []
  const source = read('source', 'SOURCE', given.source ?? 'ANY')
  if (!source.ok) return source
  lines.push(source.value, setting('NAME', name))
  if (given.open !== undefined) {
    const open = read('open', 'OPEN_PORTS', given.open)
    if (!open.ok) return open
  }
  const nat = given.nat === undefined ? ok(undefined) : natOf(given.nat)
  if (!nat.ok) return nat
  const targets = given['nat-targets'] ?? nat.value?.target
  if (targets !== undefined) {
    const judged = natTargetsValue(targets)
    if (!judged.ok)
      return given['nat-targets'] === undefined
        ? refuse('VALUE_INVALID', `--nat: the server knows inner hosts by address: ${judged.failure.detail}`, {
            suggestion: '--nat-targets',
          })
        : refuse('VALUE_INVALID', `--nat-targets: ${judged.failure.detail}`)
    lines.push(setting('NAT_TARGETS', targets))
  }
  for (const [option, variable] of Object.entries(SETTINGS) as [keyof typeof SETTINGS, string][]) {
    const value = given[option]
    if (value === undefined) continue
    const line = read(option, variable as 'SOURCE', value)
    if (!line.ok) return line
    lines.push(line.value)
  }
  const spaPort = given['spa-port'] === undefined ? ok(undefined) : parsePort(given['spa-port'])
  if (!spaPort.ok) return refuse('VALUE_INVALID', `--spa-port: ${spaPort.failure.detail}`)
  if (spaPort.value !== undefined) lines.push(setting('SPA_PORT', `${spaPort.value}`))
  const expires = given.expire === undefined ? ok(undefined) : parseEnd(given.expire, now)
  if (!expires.ok) return expires
  if (expires.value !== undefined) lines.push(setting('ACCESS_EXPIRE_EPOCH', `${expires.value}`))
  return ok({
    ...(given.open !== undefined && { open: given.open.replace(/\s+/g, '') }),
    lines,
    client: nat.value === undefined ? [] : nat.value.client,
    ...(expires.value !== undefined && { expires: expires.value }),
    ...(spaPort.value !== undefined && { spaPort: spaPort.value }),
  })
}

function read(option: string, variable: keyof typeof stanzaSettings, value: string): Result<string, Wrong> {
  if (/[;\n\r]/.test(value)) return refuse('VALUE_INVALID', `--${option}: “;” and line ends are not possible here`)
  const judged = stanzaSettings[variable].read(value.trim())
  if (judged.ok) return ok(setting(variable, value.trim()))
  const { detail, suggestion } = judged.failure
  return refuse('VALUE_INVALID', `--${option}: ${detail}`, suggestion === undefined ? {} : { suggestion })
}

/** `local:22` is a port of the server itself: a ghost service. */
export function natOf(text: string): Result<{ target: string; client: readonly RcChange[] }, Wrong> {
  const local = /^local(?::([0-9]{1,5}))?$/i.exec(text)
  const access = local === null ? text : `127.0.0.1${local[1] === undefined ? '' : `:${local[1]}`}`
  const judged = readClientSetting('NAT_ACCESS', access)
  if (!judged.ok) return refuse('VALUE_INVALID', `--nat: ${judged.failure.detail}`)
  const client: readonly RcChange[] = [
    { name: 'NAT_ACCESS', value: access },
    ...(local === null ? [] : [{ name: 'NAT_LOCAL', value: 'Y' } as const]),
  ]
  return ok({ target: text, client })
}

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 }

/** `2027-01-31`: the midnight with which that day begins, in the time zone of this host. `30d`: from now. */
export function parseEnd(text: string, now: UnixSeconds, option = 'expire'): Result<UnixSeconds, Wrong> {
  const [, amount, unit] = /^\+?([0-9]{1,6})(m|h|d)$/.exec(text) ?? []
  const [, year, month, day] = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text)?.map(Number) ?? []
  const date = year === undefined ? undefined : new Date(year, (month ?? 0) - 1, day)
  const isDay = date !== undefined && date.getMonth() === (month ?? 0) - 1 && date.getDate() === day
  const end =
    amount === undefined ? (isDay ? date.getTime() / 1000 : undefined) : now + Number(amount) * (UNITS[unit ?? ''] ?? 0)
  if (end === undefined)
    return refuse(
      'VALUE_INVALID',
      `--${option}: “${text}” is neither a day, such as 2027-01-31, nor a time from now, such as 30d or 12h`,
    )
  if (end <= now) return refuse('VALUE_INVALID', `--${option}: “${text}” has passed`)
  return ok(unixSeconds(end))
}

const USUAL_OVERLAP = '7d'

/** What `user rotate` is asked for: when the old keys end, and what clients write into their stanza. */
export function parseRotation(
  { overlap, nat }: Pick<Given, 'overlap' | 'nat'>,
  now: UnixSeconds,
): Result<{ readonly end: UnixSeconds; readonly client: readonly RcChange[] }, Wrong> {
  const end = overlap === 'none' ? ok(now) : parseEnd(overlap ?? USUAL_OVERLAP, now, 'overlap')
  if (!end.ok) return end
  const wished = nat === undefined ? ok({ client: [] }) : natOf(nat)
  return wished.ok ? ok({ end: end.value, client: wished.value.client }) : wished
}
