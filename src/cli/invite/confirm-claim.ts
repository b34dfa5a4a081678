/**
 * `ghostport invite confirm NAME` of a link: the administrator has the fingerprint from the person, not from the
 * gateway. If it is that of the claim, the user is switched on, and the profile goes to this one device.
 */
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { enabled } from '../../config/access/edit-stanza.ts'
import { editUsers } from '../../config/access/edit-users.ts'
import { findUser } from '../../config/access/users.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { finishGatewayInvitation, type GatewayInvitation, listInvitations } from '../../invitations/store.ts'
import { formatDeviceKey, newKeyPair, parseDeviceFingerprint, sealForDevice } from '../../packet/web-invitation.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { recorded } from '../recorded.ts'
import { configFiles } from '../server/config-source.ts'
import { ask } from '../terminal/ask.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { changeAccess } from '../user/access-files.ts'
import { reportServer, tellServer } from '../user/tell-server.ts'
import { unknownUser } from '../user/unknown-user.ts'
import { type AtGateway, aboutAt, deliverTo } from './ask-gateway.ts'
import { accessFor } from './at-gateways.ts'
import type { Given } from './options.ts'

type Claimed = Extract<AtGateway, { readonly device: Uint8Array }>

export async function confirmClaim(
  name: StanzaName,
  gateway: GatewayInvitation,
  given: Given,
  terminal: Terminal,
): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  const access = accessFor(gateway, given, source.value.server)
  if (!access.ok) return access
  const told = await aboutAt(access.value, [gateway])
  if (!told.ok) return told
  const claim = claimOf(told.value[0], name)
  if (!claim.ok) return claim
  const { device, fingerprint, at, from } = claim.value
  const when = `${showTime(at)} from ${from ?? 'an unknown address'}, as the gateway says`
  const agreed = agree(given, fingerprint, when)
  if (!agreed.ok) return agreed
  const { claim: tagKey, seal, profile, id } = gateway
  if (tagKey === undefined || seal === undefined || profile === undefined)
    return refuse('INVITATION_ENDED', `the invitation of ${name} was confirmed before`)
  const [once, nonce] = [await newKeyPair(), crypto.getRandomValues(new Uint8Array(12))]
  const sealed = await sealForDevice({ id, claim: tagKey, seal }, device, once, nonce, profile)
  if (sealed === undefined) return refuse('CLAIM_REFUSED', 'the key of the device is none: the claim is no honest one')
  const changed = await changeAccess(source.value, 'all', ({ users, files, server }) => {
    // While the digits were asked for, another command may have taken it back, and the user may be another one by now.
    const waits = waitsStill(invitationsFolder(server), gateway, name)
    if (!waits.ok) return waits
    const user = findUser(users, name)
    if (user?.name === undefined) return unknownUser(users, name)
    const texts = user.isDisabled ? editUsers(files, [{ user, edit: enabled }]) : ok(new Map<string, string>())
    if (!texts.ok) return texts
    return ok({
      texts: texts.value,
      result: { user: user.name, file: user.place.file },
      recorded: { did: 'invite confirm', to: user.name },
    })
  })
  if (!changed.ok) return changed
  const { result, server } = changed.value
  const answer = await tellServer(server.controlSocket)
  const change = { did: 'invite deliver', to: result.user, note: `to device ${fingerprint}, which claimed at ${when}` }
  const delivered = await recorded(server.auditLog, change, async (): Promise<Result<void>> => {
    const done = await deliverTo(access.value, gateway, formatDeviceKey(device), sealed)
    return done.ok ? finishGatewayInvitation(invitationsFolder(server), gateway) : done
  })
  if (!delivered.ok) return delivered
  if (given.json > 0) {
    const by = { fingerprint, at, from: from ?? null }
    terminal.printJson({ ...result, claim: by, lastKnock: null, server: answer })
    return reportServer(answer, { ...terminal, note: () => {} })
  }
  terminal.note(`confirmed ${result.user} in ${result.file}: device ${fingerprint}, which claimed at ${when}`)
  terminal.note('the profile waits at the gateway for this device, and for no other')
  return reportServer(answer, terminal)
}

function waitsStill(folder: string, { id }: GatewayInvitation, name: StanzaName): Result<void> {
  const all = listInvitations(folder, systemClock.now())
  if (!all.ok) return all
  return all.value.some(({ state, gateway }) => state !== 'used' && gateway?.id === id)
    ? ok(undefined)
    : refuse('INVITATION_ENDED', `the invitation of ${name} was confirmed or cancelled meanwhile`, {
        suggestion: 'ghostport invite list',
      })
}

function claimOf(at: AtGateway | undefined, name: StanzaName): Result<Claimed> {
  switch (at?.state) {
    case 'claimed':
    case 'delivered':
    case 'fetched':
      return ok(at)
    case 'open':
      return refuse('INVITATION_UNCLAIMED', `${name}: the link was not used yet`, {
        suggestion: 'ghostport invite list',
      })
    case 'forged':
      return refuse('CLAIM_REFUSED', `${name}: the claim at the gateway was made without the secret of the link`, {
        suggestion: `ghostport invite cancel ${name}`,
      })
    default:
      return refuse('INVITATION_ENDED', `${name}: the gateway does not know this invitation any more`, {
        suggestion: `ghostport invite cancel ${name}`,
      })
  }
}

/** The digits are typed, and not shown before: who only presses a key has compared nothing. */
function agree(given: Given, fingerprint: string, when: string): Result<void> {
  const typed = given.fingerprint ?? ask(`Claimed at ${when}.\nThe 16 digits that the person reads to you:`)
  if (typed === undefined)
    return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--fingerprint 1234-5678-9012-3456' })
  const read = parseDeviceFingerprint(typed)
  if (read === undefined) return refuse('VALUE_INVALID', `“${typed}” is not a fingerprint: it has 16 digits`)
  return read === fingerprint
    ? ok(undefined)
    : refuse('CLAIM_REFUSED', 'another device claimed: its fingerprint is not the one that the person has', {
        suggestion: 'ask again; if it stays different, “ghostport invite cancel NAME”, and invite anew',
      })
}

function showTime(time: number): string {
  return new Date(time * 1000).toISOString().replace('.000Z', 'Z')
}
