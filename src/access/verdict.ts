/** What becomes of an authentic packet. */
import { type Failure, refuse } from '../result.ts'
import type { UnixSeconds } from '../units.ts'
import type { Grant } from './grant.ts'
import type { NameQuestion } from './openings.ts'
import type { StanzaId } from './stanza.ts'

/** What an allowed packet has done, by `kind`. */
export type Action = GrantAction

/** The firewall opens a grant. */
export interface GrantAction {
  readonly kind: 'grant'
  readonly grant: Grant
  /** What led a port of the same source elsewhere, and had to end. Known once the grant is open. */
  readonly ended?: readonly Grant[]
  /** What had to end because the firewall had no place left. Known once the grant is open. */
  readonly displaced?: readonly Grant[]
}

export interface Granted {
  readonly granted: true
  readonly stanza: StanzaId
  readonly action: Action
  /** Stanzas that were asked before the one that granted, and why each did not. */
  readonly denials: readonly Denial[]
}

export interface Refusal {
  readonly granted: false
  readonly failure: Failure
  /** The stanza that came closest to granting; the first whose keys opened the packet where none was asked. */
  readonly stanza?: StanzaId
  /** Each stanza that was asked, in file order. */
  readonly denials: readonly Denial[]
  /** For `SPA_STALE` and `SPA_FROM_FUTURE`: what the two hosts think the time is. */
  readonly clocks?: { readonly packet: UnixSeconds; readonly server: UnixSeconds }
  /** For `NAME_NOT_LOOKED_UP`: the name whose address is all that is missing. */
  readonly lookUp?: NameQuestion
}

export interface Denial {
  readonly stanza: StanzaId
  readonly failure: Failure
}

export type Verdict = Granted | Refusal

/** Refuses for a reason that no stanza was asked about. @param stanzas those whose keys opened the packet, where known. */
export function refusal(failure: Failure, [first]: readonly { readonly id: StanzaId }[] = []): Refusal {
  return { granted: false, failure, denials: [], ...(first === undefined ? {} : { stanza: first.id }) }
}

/** Why a packet is refused that opened a door, or was denied one, before. */
export const USED_BEFORE = refuse('SPA_REPLAYED', 'somebody sent it again, or it reached this host twice').failure
