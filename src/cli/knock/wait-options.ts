/** `--wait-limit` and `--wait-for`, and what follows from them: which port to wait for, how long, and for what sign. */
import type { SealedKnock, SentKnock } from '../../client/knock.ts'
import type { PlannedKnock } from '../../client/plan.ts'
import { doorOf } from '../../client/request.ts'
import type { Door, OpenSign } from '../../client/wait.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds, type Port } from '../../units.ts'
import type { OptionValues } from '../terminal/options.ts'

export const waitOptions = {
  'wait-limit': { value: 'SECONDS', help: 'give up waiting after so long (default 5)' },
  'wait-for': {
    value: 'SIGN',
    help: 'what counts as open: “connect”, or “banner”, a service that speaks first, as sshd does (the default with NAT, where another service may answer on the port)',
  },
} as const

interface WaitWish {
  readonly limit: Milliseconds
  readonly sign?: OpenSign
}
export interface WaitPlan {
  readonly port: Port
  readonly sign: OpenSign
  readonly limit: Milliseconds
}

/** Reads `--wait-limit` and `--wait-for`. */
export function parseWait(given: OptionValues<typeof waitOptions>): Result<WaitWish, Failure<'VALUE_INVALID'>> {
  const text = given['wait-limit'] ?? '5'
  const limit = /^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : 0
  if (limit <= 0 || limit > 3600)
    return refuse('VALUE_INVALID', `--wait-limit: “${text}” is not a number of seconds up to 3600`)
  const sign = given['wait-for']
  if (sign !== undefined && sign !== 'connect' && sign !== 'banner')
    return refuse('VALUE_INVALID', `--wait-for: “${sign}” is neither connect nor banner`)
  return ok({ limit: milliseconds(limit * 1000), ...(sign === undefined ? {} : { sign }) })
}

/** Which port to wait for, and what for. A port that NAT leads elsewhere may be one that always answers. */
export function doorFor({ plan }: PlannedKnock, wish: WaitWish): Result<WaitPlan, Failure<'CLI_USAGE'>> {
  const door = doorOf(plan.request)
  if (door === undefined) return refuse('CLI_USAGE', 'there is no TCP port to wait for')
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
