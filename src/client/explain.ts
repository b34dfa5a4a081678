/** Why a door may have stayed shut: the server never says, so all that this side can see is brought together. */
import { type Failure, refuse } from '../result.ts'
import type { Milliseconds, UnixSeconds } from '../units.ts'
import type { SentKnock } from './knock.ts'
import type { Request } from './request.ts'
import type { ClosedDoor, Door } from './wait.ts'

export interface ShutDoor {
  readonly failure: Failure<'PORT_NOT_OPEN'>
  /** The likely causes, the likeliest first, a sentence each. */
  readonly causes: readonly string[]
}

interface Circumstances {
  readonly door: Door
  readonly seen: ClosedDoor
  readonly limit: Milliseconds
  readonly request: Request
  readonly sent: readonly SentKnock[]
  readonly now: UnixSeconds
}

export function explainShutDoor({ door, seen, limit, request, sent, now }: Circumstances): ShutDoor {
  const place = `${door.addresses.join(', ')} port ${door.port}`
  const tried = `${limit / 1000} s, ${seen.attempts} attempts`
  const what =
    seen.mute > 0
      ? `${place} accepts connections, but whoever answers does not speak first`
      : seen.refused > 0
        ? `${place} answers with a reset`
        : seen.errors.length > 0
          ? `${place}: ${seen.errors.join(', ')}`
          : `${place} does not answer`
  return {
    failure: refuse('PORT_NOT_OPEN', `${what} (${tried})`).failure,
    causes: [
      ...whatAnswered(seen),
      'The keys, the HMAC digest type or the encryption mode are not those of the server’s stanza.',
      `The clocks differ: it is ${new Date(now * 1000).toISOString()} here, and a server takes packets of about two minutes’ age.`,
      ...addressCauses(request, sent),
      'The stanza does not allow what was asked for (ports, NAT, user name), or the packet did not reach the server: the server’s log has a line with the reason for every packet that it looked at.',
    ],
  }
}

/** The door itself seems to be reached: then it is less likely the knock. */
function whatAnswered({ mute, refused }: ClosedDoor): readonly string[] {
  if (mute > 0)
    return [
      'The door is shut and the server behind the public port answered; or the service waits for the client to speak first: then add --wait-for connect.',
    ]
  if (refused > 0)
    return ['The door is open and no service listens behind it; or the firewall rejects where others drop.']
  return []
}

function addressCauses(request: Request, sent: readonly SentKnock[]): readonly string[] {
  const local = [...new Set(sent.flatMap(({ departure }) => (departure.ok ? [departure.value.localAddress] : [])))]
  if (request.source === 'packet-source')
    return [
      'The packet and the connection reach the server from different addresses (a provider’s shared NAT, several lines): then name the address with -a.',
    ]
  if (local.includes(request.source)) return []
  return [
    `The door was asked for ${request.source}, and this host sends from ${local.join(', ')}: right only if a NAT in between makes the one of the other.`,
  ]
}
