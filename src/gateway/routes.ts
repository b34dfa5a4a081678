/** What the gateway answers (docs/GATEWAY.md § The interface). */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonic, systemClock } from '../clock.ts'
import type { GatewayConfig } from '../config/gateway/gateway-config.ts'
import { errorReply, jsonReply, type Route, route } from '../http-server/route.ts'
import { RateLimit, sourceOf } from '../http-server/sources.ts'
import { RECEIPT_LENGTH } from '../packet/receipt.ts'
import { MAX_KNOCK_BODY, MAX_RECEIPT_BODY, readKnock, readTicket } from './knock-request.ts'
import type { Fate, Targets } from './targets.ts'
import { bytesForTickets, type Tickets } from './tickets.ts'

/** How many packets there were of each fate. */
export type FateCounts = ReadonlyMap<Fate | 'over source limit', number>

export interface GatewayParts {
  readonly config: GatewayConfig
  readonly targets: Targets
  readonly tickets: Tickets
}

export function gatewayRoutes({ config, targets, tickets }: GatewayParts): {
  readonly routes: readonly Route[]
  readonly counts: FateCounts
} {
  const { perSource } = config.limits
  const knocksOf = new RateLimit(perSource, perSource / 60)
  const ticketBytes = bytesForTickets()
  const counts = new Map<Fate | 'over source limit', number>()
  const count = (fate: Fate | 'over source limit'): void => {
    counts.set(fate, (counts.get(fate) ?? 0) + 1)
  }

  const knock = route({
    method: 'POST',
    path: '/v1/knock',
    from: 'named',
    body: { kind: 'json', most: MAX_KNOCK_BODY, read: readKnock },
    handle({ body: { target, packet }, source }) {
      const now = monotonic()
      if (!knocksOf.take(sourceOf(source), now)) {
        count('over source limit')
        return errorReply(429, 'knocks', { 'retry-after': `${Math.ceil(60 / perSource)}` })
      }
      const ticket = tickets.issue(ticketBytes(), now)
      return {
        ...jsonReply(202, { ticket }),
        // The packet leaves after the answer. So the answer cannot wait for what becomes of it: neither here (a target
        // that is not there, a limit, a receipt that comes) nor at the server.
        afterwards: () => count(targets.send(target, packet, now, (text) => tickets.arrived(ticket, text))),
      }
    },
  })

  const receipt = route({
    method: 'POST',
    path: '/v1/receipt',
    from: 'named',
    body: { kind: 'json', most: MAX_RECEIPT_BODY, read: readTicket },
    async handle({ body: { ticket }, signal }) {
      const filler = fillerReceipt()
      const { after, receipt: arrived } = tickets.redeem(ticket, monotonic())
      await delay(after, undefined, { signal }).catch(() => {})
      return jsonReply(200, { receipt: arrived() ?? filler })
    },
  })

  const address = route({
    method: 'GET',
    path: '/v1/address',
    from: 'any',
    body: { kind: 'none' },
    handle: ({ source }) => (source === undefined ? errorReply(503, 'address') : jsonReply(200, { address: source })),
  })

  // A packet of the wrong time is refused without a word: a page can say so before. And it can ask for both addresses
  // of its visitor.
  const time = route({
    method: 'GET',
    path: '/v1/time',
    from: 'any',
    body: { kind: 'none' },
    handle({ header }) {
      const labels = labelsOf(config, header('host') ?? '')
      return jsonReply(200, { time: systemClock.now(), ...(labels.length > 0 && { labels }) })
    },
  })

  return { routes: [knock, receipt, address, time], counts }
}

/** Those that the name has by which the visitor came. */
function labelsOf({ echoLabels, hosts }: GatewayConfig, host: string): readonly string[] {
  const name = host.toLowerCase().replace(/:[0-9]{1,5}$/, '')
  return echoLabels.filter((label) => hosts.some((one) => one.name === `${label}.${name}`))
}

/** Text of the same length and the same characters as a receipt. */
function fillerReceipt(): string {
  return randomBytes((RECEIPT_LENGTH / 4) * 3).toString('base64')
}
