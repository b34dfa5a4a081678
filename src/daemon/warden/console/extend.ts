/** Whether a live grant may go on for longer, by the policy of now: nothing opens that a new knock could not open. */
import { showTime } from '../../../access/age.ts'
import type { Grant, Opening } from '../../../access/grant.ts'
import type { Stanza } from '../../../access/stanza.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import type { Seconds, UnixSeconds } from '../../../units.ts'

/**
 * @param stanzas in force now.
 * @param wanted from now on.
 * @returns the grant to open again; CONSOLE_REFUSED with the reason.
 */
export function extended(grant: Grant, stanzas: readonly Stanza[], wanted: Seconds, now: UnixSeconds): Result<Grant> {
  const stanza = stanzas.find(({ id, name }) =>
    grant.stanzaName === undefined ? name === undefined && id === grant.stanza : name === grant.stanzaName,
  )
  const refused = (why: string) => refuse('CONSOLE_REFUSED', `the grant cannot be extended: ${why}`)
  if (stanza === undefined) return refused('its stanza is not in force any more')
  if (stanza.expires !== undefined && stanza.expires <= now)
    return refused(`its stanza ended at ${showTime(stanza.expires)}`)
  if (wanted > stanza.maxTimeout) return refused(`a grant of its stanza lasts at most ${stanza.maxTimeout} s`)
  const denied = grant.openings.find((opening) => !mayOpen(stanza, opening))
  if (denied !== undefined)
    return refused('its stanza does not allow these ports any more, or it leads elsewhere: knock again')
  return ok({ ...grant, lifetime: wanted })
}

/** Only the ports of the server itself: what leads elsewhere depends on more than the stanza. */
function mayOpen({ openPorts, restrictPorts, forceNat }: Stanza, opening: Opening): boolean {
  if (opening.kind !== 'access' || forceNat !== undefined) return false
  const isSame = ({ protocol, port }: { readonly protocol: string; readonly port: number }) =>
    protocol === opening.protocol && port === opening.port
  return !restrictPorts.some(isSame) && (openPorts === undefined || openPorts.some(isSame))
}
