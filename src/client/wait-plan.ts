/** Which port to wait for after a knock, how long, and for what sign. */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'
import type { KnockPlan, SealedKnock, SentKnock } from './knock.ts'
import { doorOf } from './request.ts'
import type { Door, OpenSign } from './wait.ts'

/** How long to wait, and for what. */
export interface WaitOptions {
  /** Give up waiting after so many seconds: more than 0, up to 3600, in steps of 0.001 (5 where nothing says otherwise). */
  readonly 'wait-limit'?: number | string | undefined
  /**
   * What counts as open: `connect`, or `banner`, a service that speaks first, as sshd does (the default with NAT, where another
   * service may answer on the port).
   */
  readonly 'wait-for'?: string | undefined
}

/** {@link WaitOptions}, read. */
export interface WaitWish {
  readonly limit: Milliseconds
  readonly sign?: OpenSign
}
export interface WaitPlan {
  readonly port: Port
  readonly sign: OpenSign
  readonly limit: Milliseconds
}

/** @returns what is wished; `VALUE_INVALID` for a number or a word that is none. */
export function parseWait(given: WaitOptions): Result<WaitWish, Failure<'VALUE_INVALID'>> {
  const text = String(given['wait-limit'] ?? 5)
  const limit = /^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : 0
  if (limit <= 0 || limit > 3600)
    return refuse('VALUE_INVALID', `--wait-limit: “${text}” is not a number of seconds up to 3600`)
  const sign = given['wait-for']
  if (sign !== undefined && sign !== 'connect' && sign !== 'banner')
    return refuse('VALUE_INVALID', `--wait-for: “${sign}” is neither connect nor banner`)
  return ok({ limit: milliseconds(limit * 1000), ...(sign === undefined ? {} : { sign }) })
}

/** @returns `CLI_USAGE` for wishes about a wait that nobody asked for. */
export function waitWithoutEffect(given: WaitOptions): Result<void, Failure<'CLI_USAGE'>> {
  const name = (['wait-limit', 'wait-for'] as const).find((it) => given[it] !== undefined)
  if (name === undefined) return ok(undefined)
  return refuse('CLI_USAGE', `--${name} has no effect without --wait`, { suggestion: 'add --wait' })
}

/**
 * Which port to wait for, and what for. A port that NAT leads elsewhere may be one that always answers.
 * @returns the plan; `CLI_USAGE` where no TCP port is asked for.
 */
export function doorFor(plan: KnockPlan, wish: WaitWish): Result<WaitPlan, Failure<'CLI_USAGE'>> {
  const door = doorOf(plan.request)
  if (door === undefined) return refuse('CLI_USAGE', 'the knock asks for no TCP port, so there is none to wait for')
  return ok({ port: door.port, limit: wish.limit, sign: wish.sign ?? (door.throughNat ? 'banner' : 'connect') })
}

/** Where to look before the packets leave. */
export function doorOfSealed(packets: readonly SealedKnock[], { port, sign }: WaitPlan): Door {
  return { addresses: packets.map(({ address }) => address), port, sign }
}

/** Where to wait afterwards: at the addresses for which a packet left. */
export function doorOfSent(sent: readonly SentKnock[], wait: WaitPlan): Door {
  return doorOfSealed(
    sent.filter(({ departure }) => departure.ok),
    wait,
  )
}

/** When the first of the packets left. */
export function firstDeparture(sent: readonly SentKnock[]): number {
  return Math.min(...sent.map(({ departure }) => (departure.ok ? departure.value.at : Number.POSITIVE_INFINITY)))
}
