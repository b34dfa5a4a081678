/** What the gateways say of the invitations that are claimed through them. One question for each gateway. */
import { dirname, join } from 'node:path'
import type { GatewayInvitation, Invitation } from '../../invitations/store.ts'
import type { Failure, Result } from '../../result.ts'
import type { UnixSeconds } from '../../units.ts'
import { type AtGateway, aboutAt, accessTo, type GatewayAccess } from './ask-gateway.ts'
import type { Given } from './options.ts'

/** How many are asked about in one question. */
const AT_ONCE = 100
/** `gateway-token`, beside the settings of the server. */
const TOKEN_FILE = 'gateway-token'
/** How long a claim can be confirmed after the end of its link, in seconds. The gateway keeps it so long. */
const CONFIRMABLE = 7 * 86_400

/** @param settings the path of fwknopd.conf. */
export function tokenFile(given: Pick<Given, 'gateway-token'>, settings: string): string {
  return given['gateway-token'] ?? join(dirname(settings), TOKEN_FILE)
}

export function accessFor(
  { url, fingerprint }: Pick<GatewayInvitation, 'url' | 'fingerprint'>,
  given: Pick<Given, 'gateway-token'>,
  settings: string,
): Result<GatewayAccess, Failure> {
  return accessTo({ url, ...(fingerprint !== undefined && { fingerprint }) }, tokenFile(given, settings))
}

/** @returns what is known of each invitation, by its id; and why nothing is known of others. */
export async function askGateways(
  invitations: readonly Invitation[],
  given: Pick<Given, 'gateway-token'>,
  settings: string,
): Promise<{ readonly known: ReadonlyMap<string, AtGateway>; readonly problems: readonly Failure[] }> {
  const groups = new Map<string, GatewayInvitation[]>()
  for (const { gateway } of invitations) {
    if (gateway === undefined) continue
    const name = `${gateway.url} ${gateway.fingerprint ?? ''}`
    groups.set(name, [...(groups.get(name) ?? []), gateway])
  }
  const known = new Map<string, AtGateway>()
  const problems: Failure[] = []
  for (const all of groups.values()) {
    const [first] = all
    const access = first === undefined ? undefined : accessFor(first, given, settings)
    if (access?.ok === false) problems.push(access.failure)
    if (access?.ok !== true) continue
    for (let at = 0; at < all.length; at += AT_ONCE) {
      const some = all.slice(at, at + AT_ONCE)
      const told = await aboutAt(access.value, some)
      if (!told.ok) {
        problems.push(told.failure)
        break
      }
      for (const [i, { id }] of some.entries()) {
        const about = told.value[i]
        if (about !== undefined) known.set(id, about)
      }
    }
  }
  return { known, problems }
}

export type ShownState = 'open' | 'used' | 'ended' | 'claimed' | 'delivered' | 'forged'

/** What became of an invitation, by this server and by its gateway. */
export function shownState(
  { state, until }: Pick<Invitation, 'state' | 'until'>,
  at: AtGateway | undefined,
  now: UnixSeconds,
): ShownState {
  if (state === 'used')
    return at?.state === 'fetched' || at === undefined || at.state === 'unknown' ? 'used' : 'delivered'
  if (at?.state === 'forged') return 'forged'
  const isClaimed = at !== undefined && at.state !== 'open' && at.state !== 'unknown'
  return isClaimed && until + CONFIRMABLE > now ? 'claimed' : state
}
