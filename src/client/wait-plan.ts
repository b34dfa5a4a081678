/** Which port to wait for after a knock, for how long, and what counts as open. */
import type { IpAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'
import type { KnockPlan, SealedKnock, SentKnock } from './knock.ts'
import { doorOf } from './request.ts'
import type { Door, OpenSign } from './wait.ts'

/** How long to wait, for what, and how often to knock again meanwhile. */
export interface WaitOptions {
  /**
   * How often to knock again while the port stays shut, 0 to 20 (default 3): after 1, 2 and 4 s, then every 4 s, but
   * not after `wait-limit`. Each knock has new packets.
   */
  readonly knocks?: number | string | undefined
  /** Stop waiting after this many seconds: more than 0, up to 3600, in steps of 0.001 (default 5). */
  readonly 'wait-limit'?: number | string | undefined
  /**
   * What counts as open: `connect`, or `banner`: a service that speaks first, as sshd does. `banner` is the default
   * with NAT, because another service may answer on the port.
   */
  readonly 'wait-for'?: string | undefined
}

/** {@link WaitOptions}, read. */
export interface WaitWish {
  readonly knocks: number
  readonly limit: Milliseconds
  readonly sign?: OpenSign
}
export interface WaitPlan {
  /** How many knocks may follow the first. */
  readonly knocks: number
  readonly port: Port
  readonly sign: OpenSign
  readonly limit: Milliseconds
}

const DEFAULT_KNOCKS = 3
const MAX_KNOCKS = 20

/** @returns the parsed options; `VALUE_INVALID` for a number or a word that is not valid. */
export function parseWait(given: WaitOptions): Result<WaitWish, Failure<'VALUE_INVALID'>> {
  const text = String(given['wait-limit'] ?? 5)
  const limit = /^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : 0
  if (limit <= 0 || limit > 3600)
    return refuse('VALUE_INVALID', `--wait-limit: “${text}” is not a number of seconds up to 3600`)
  const knocks = String(given.knocks ?? DEFAULT_KNOCKS)
  if (!/^[0-9]{1,2}$/.test(knocks) || Number(knocks) > MAX_KNOCKS)
    return refuse('VALUE_INVALID', `--knocks: “${knocks}” is not a whole number from 0 to ${MAX_KNOCKS}`)
  const sign = given['wait-for']
  if (sign !== undefined && sign !== 'connect' && sign !== 'banner')
    return refuse('VALUE_INVALID', `--wait-for: “${sign}” is neither connect nor banner`)
  return ok({ knocks: Number(knocks), limit: milliseconds(limit * 1000), ...(sign === undefined ? {} : { sign }) })
}

/** @returns `CLI_USAGE` for options about a wait without `--wait`. */
export function waitWithoutEffect(given: WaitOptions): Result<void, Failure<'CLI_USAGE'>> {
  const name = (['wait-limit', 'wait-for', 'knocks'] as const).find((it) => given[it] !== undefined)
  if (name === undefined) return ok(undefined)
  return refuse('CLI_USAGE', `--${name} has no effect without --wait`, { suggestion: 'add --wait' })
}

/**
 * Which port to wait for, and what counts as open. With NAT, the public port may belong to a service that always
 * answers.
 * @returns the plan; `CLI_USAGE` if no TCP port is asked for.
 */
export function doorFor(plan: KnockPlan, wish: WaitWish): Result<WaitPlan, Failure<'CLI_USAGE'>> {
  const door = doorOf(plan.request)
  if (door === undefined) return refuse('CLI_USAGE', 'the knock asks for no TCP port, so there is none to wait for')
  const sign = wish.sign ?? (door.throughNat ? 'banner' : 'connect')
  return ok({ port: door.port, limit: wish.limit, knocks: wish.knocks, sign })
}

/**
 * The door to try before the packets leave.
 * @param behind the addresses of the server, if the packets go to others.
 */
export function doorOfSealed(
  packets: readonly SealedKnock[],
  { port, sign }: WaitPlan,
  behind?: readonly IpAddress[],
): Door {
  return { addresses: behind ?? packets.map(({ address }) => address), port, sign }
}

/** The door to try afterwards: the addresses to which a packet left. */
export function doorOfSent(sent: readonly SentKnock[], { port, sign }: WaitPlan, behind?: readonly IpAddress[]): Door {
  return { addresses: behind ?? departed(sent), port, sign }
}

/** The addresses to which a packet left. */
export function departed(sent: readonly SentKnock[]): readonly IpAddress[] {
  return sent.filter(({ departure }) => departure.ok).map(({ address }) => address)
}

/** When the first of the packets left. */
export function firstDeparture(sent: readonly SentKnock[]): number {
  return Math.min(...sent.map(({ departure }) => (departure.ok ? departure.value.at : Number.POSITIVE_INFINITY)))
}
