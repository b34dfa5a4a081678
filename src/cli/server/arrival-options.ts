/** Options that say where a packet came from, where it went, and when. */
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { parsePort, type UnixSeconds, unixSeconds } from '../../units.ts'
import type { Arrival } from './trace.ts'

export function addressOption(help: string) {
  return { value: 'ADDRESS', help } as const
}

/** When a packet came, where it went, and where it came from, as far as the options say. */
export type GivenArrival = Omit<Arrival, 'ownAddresses'>

/** @returns VALUE_INVALID for an option that cannot be understood. @param now unless `--at` says otherwise. */
export function readArrival(
  given: {
    readonly from: string | undefined
    readonly to: string | undefined
    readonly port: string | undefined
    readonly at: string | undefined
  },
  now: UnixSeconds,
): Result<GivenArrival, Failure<'VALUE_INVALID'>> {
  const source = readAddress('from', given.from)
  if (!source.ok) return source
  const destination = readAddress('to', given.to)
  if (!destination.ok) return destination
  const port = given.port === undefined ? ok(undefined) : parsePort(given.port)
  if (!port.ok) return refuse('VALUE_INVALID', `--port: “${given.port}” is not a port from 1 to 65535`)
  const moment = readMoment(given.at, now)
  if (!moment.ok) return moment
  return ok({
    now: moment.value,
    ...(source.value !== undefined && { source: source.value }),
    ...(destination.value !== undefined && { destination: destination.value }),
    ...(port.value !== undefined && { port: port.value }),
  })
}

/** @returns VALUE_INVALID for what is no IP address. */
function readAddress(
  option: string,
  text: string | undefined,
): Result<IpAddress | undefined, Failure<'VALUE_INVALID'>> {
  if (text === undefined) return ok(undefined)
  const address = parseAddress(text)
  return address.ok ? address : refuse('VALUE_INVALID', `--${option}: ${address.failure.detail}`)
}

const MAX_SECONDS = 253_402_300_799

/** @returns VALUE_INVALID for what is neither a number of seconds nor a time as `2026-01-31T12:00:00Z`. */
function readMoment(text: string | undefined, now: UnixSeconds): Result<UnixSeconds, Failure<'VALUE_INVALID'>> {
  if (text === undefined) return ok(now)
  const isNumber = /^[0-9]{1,12}$/.test(text)
  const isTime = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})$/.test(text)
  const moment = isNumber ? Number(text) : isTime ? Math.floor(Date.parse(text) / 1000) : Number.NaN
  if (moment >= 0 && moment <= MAX_SECONDS) return ok(unixSeconds(moment))
  return refuse('VALUE_INVALID', `--at: “${text}” is not a time: give seconds since 1970, or 2026-01-31T12:00:00Z`)
}
