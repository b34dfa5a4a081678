/** Options that say where a packet came from, where it went, and when. */
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'

export function addressOption(help: string) {
  return { value: 'ADDRESS', help } as const
}

/** @returns VALUE_INVALID for what is no IP address. */
export function readAddress(
  option: string,
  text: string | undefined,
): Result<IpAddress | undefined, Failure<'VALUE_INVALID'>> {
  if (text === undefined) return ok(undefined)
  const address = parseAddress(text)
  return address.ok ? address : refuse('VALUE_INVALID', `--${option}: ${address.failure.detail}`)
}

const MAX_SECONDS = 253_402_300_799

/** @returns VALUE_INVALID for what is neither a number of seconds nor a time as `2026-01-31T12:00:00Z`. */
export function readMoment(text: string | undefined, now: UnixSeconds): Result<UnixSeconds, Failure<'VALUE_INVALID'>> {
  if (text === undefined) return ok(now)
  const isNumber = /^[0-9]{1,12}$/.test(text)
  const isTime = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})$/.test(text)
  const moment = isNumber ? Number(text) : isTime ? Math.floor(Date.parse(text) / 1000) : Number.NaN
  if (moment >= 0 && moment <= MAX_SECONDS) return ok(unixSeconds(moment))
  return refuse('VALUE_INVALID', `--at: “${text}” is not a time: give seconds since 1970, or 2026-01-31T12:00:00Z`)
}
