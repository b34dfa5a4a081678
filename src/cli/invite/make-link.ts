/** `ghostport invite NAME --gateway URL`: a link for a person who has nothing but a browser. */
import { randomBytes } from 'node:crypto'
import type { StanzaName } from '../../access/stanza-name.ts'
import { disabled } from '../../config/access/edit-stanza.ts'
import { formatGatewayUrl, parseFingerprint, parseGatewayUrls } from '../../config/client/gateway-urls.ts'
import { formatInviteLink } from '../../config/client/invite-link.ts'
import { formatProfile } from '../../config/client/profile.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { newSecret } from '../../invitations/secret.ts'
import { addGatewayInvitation } from '../../invitations/store.ts'
import { hexOf } from '../../packet/invitation-secret.ts'
import { deriveLinkKeys } from '../../packet/web-invitation.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import { configFiles } from '../server/config-source.ts'
import { type PutUser, putUser } from '../user/add-user.ts'
import type { ServerAddress } from '../user/show-profile.ts'
import { cancelAt, registerAt } from './ask-gateway.ts'
import { accessFor } from './at-gateways.ts'
import type { Given } from './options.ts'

export interface MadeLink {
  readonly put: PutUser
  readonly link: string
  readonly until: UnixSeconds
}

/**
 * The user comes switched off: nobody has the keys yet, and nobody can use them before the claim is confirmed.
 * @returns the link. After a failure, nothing is left here. At the gateway, a hash may be left that nobody can claim.
 */
export async function makeLink(
  name: StanzaName,
  given: Given,
  address: ServerAddress,
  { now, until }: { readonly now: UnixSeconds; readonly until: UnixSeconds },
): Promise<Result<MadeLink>> {
  const [url] = (given.gateway ?? '').split(',')
  const parsed = parseGatewayUrls(url ?? '')
  const gateway = parsed.ok ? parsed.value[0] : undefined
  if (gateway === undefined)
    return refuse('VALUE_INVALID', `--gateway: ${parsed.ok ? 'there is none' : parsed.failure.detail}`)
  const pinned =
    given['gateway-fingerprint'] === undefined ? ok(undefined) : parseFingerprint(given['gateway-fingerprint'])
  if (!pinned.ok) return refuse('VALUE_INVALID', `--gateway-fingerprint: ${pinned.failure.detail}`)
  const source = configFiles(given)
  if (!source.ok) return source
  const secret = newSecret()
  const { id, claim, seal } = deriveLinkKeys(secret)
  const kept = {
    ...{ url: formatGatewayUrl(gateway), id, key: hexOf(randomBytes(32)), claim, seal },
    ...(pinned.value !== undefined && { fingerprint: pinned.value }),
  }
  const access = accessFor(kept, given, source.value.server)
  if (!access.ok) return access
  // Before anything is changed here: if the gateway does not take it, there is no invitation.
  const registered = await registerAt(access.value, kept, until)
  if (!registered.ok) return registered
  let end = until
  const put = await putUser(name, given, address, {
    ...{ now, did: 'invite', edit: disabled },
    keep: (profile, server) => {
      end = unixSeconds(Math.min(until, profile.until ?? until))
      const whole = { ...kept, profile: formatProfile(profile) }
      return addGatewayInvitation(invitationsFolder(server), whole, { user: name, made: now, until: end })
    },
  })
  if (!put.ok) {
    await cancelAt(access.value, kept)
    return put
  }
  return ok({ put: put.value, link: formatInviteLink(gateway, secret), until: end })
}
