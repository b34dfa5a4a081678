/** The outcome for an authentic packet. */
import type { IpAddress } from '../packet/address.ts'
import type { ProtocolPort, Username } from '../packet/message.ts'
import { type Failure, refuse } from '../result.ts'
import type { UnixSeconds } from '../units.ts'
import type { CommandFacts } from './command.ts'
import type { Grant } from './grant.ts'
import type { NameQuestion } from './openings.ts'
import type { Stanza, StanzaId } from './stanza.ts'

/** What an allowed packet did, by `kind`. */
export type Action = GrantAction | CommandAction | CycleAction | CloseAction

/** The firewall opens a grant. */
export interface GrantAction {
  readonly kind: 'grant'
  readonly grant: Grant
  /** Grants that ended because they led a port of the same source elsewhere. Known once the grant is open. */
  readonly ended?: readonly Grant[]
  /** Grants that ended because the firewall had no place left. Known once the grant is open. */
  readonly displaced?: readonly Grant[]
}

/** The executor runs a command of the client’s. */
export interface CommandAction {
  readonly kind: 'command'
  /** As sent. */
  readonly command: string
  readonly facts: CommandFacts
  /** The number of its job, for the log. Known once the executor has it. */
  readonly job?: number
}

/** The executor runs the programs of a cycle, one open command for each port. */
export interface CycleAction {
  readonly kind: 'cycle'
  /** What the firewall would have opened. */
  readonly grant: Grant
  readonly facts: CommandFacts
  /** The numbers of its jobs, for the log. Known once the executor has them. */
  readonly jobs?: readonly number[]
}

/** Grants end before their time (docs/WIRE.md § 18). */
export interface CloseAction {
  readonly kind: 'close'
  readonly closing: Closing
  /** What ended. Known once it has. */
  readonly closed?: readonly Grant[]
}

/** Which grants end: those of these stanzas, for this address, with one of these ports. */
export interface Closing {
  /** At least one: those with the keys of the packet that allow the request. */
  readonly stanzas: readonly Pick<Stanza, 'id' | 'name'>[]
  readonly source: IpAddress
  /** The public ports. Empty: all. */
  readonly ports: readonly ProtocolPort[]
  /** The user name in the packet: for the log. */
  readonly username: Username
}

export interface Granted {
  readonly granted: true
  readonly stanza: StanzaId
  readonly action: Action
  /** Stanzas that were asked before the one that granted, with the reason of each. */
  readonly denials: readonly Denial[]
  readonly receiptDue?: ReceiptDue
}

/**
 * The sender is to get a receipt: the packet came through a gateway, and was recorded as used for this verdict. So no
 * packet has two. The value is the time of this host, from before anything opened.
 */
export type ReceiptDue = UnixSeconds

export interface Refusal {
  readonly granted: false
  readonly failure: Failure
  /** The stanza that came closest to granting. If none was asked: the first whose keys opened the packet. */
  readonly stanza?: StanzaId
  /** Each stanza that was asked, in file order. */
  readonly denials: readonly Denial[]
  /** For `SPA_STALE` and `SPA_FROM_FUTURE`: the time of each host. */
  readonly clocks?: { readonly packet: UnixSeconds; readonly server: UnixSeconds }
  readonly receiptDue?: ReceiptDue
  /** For `NAME_NOT_LOOKED_UP`: the name whose address is missing. */
  readonly lookUp?: NameQuestion
  /** For `CLUSTER_UNREACHABLE`: the cluster was not asked yet. */
  readonly askCluster?: true
}

export interface Denial {
  readonly stanza: StanzaId
  readonly failure: Failure
}

export type Verdict = Granted | Refusal

/** A refusal that no stanza decided. @param stanzas those whose keys opened the packet, if known. */
export function refusal(failure: Failure, [first]: readonly { readonly id: StanzaId }[] = []): Refusal {
  return { granted: false, failure, denials: [], ...(first === undefined ? {} : { stanza: first.id }) }
}

/** The refusal of a packet that was used at another node of the cluster. @param node its name. */
export function usedAtNode(node: string): Failure<'SPA_REPLAYED'> {
  return refuse('SPA_REPLAYED', `used at ${node}, another node of the cluster`).failure
}

/** The refusal of a packet that was granted or denied before. */
export const USED_BEFORE = refuse('SPA_REPLAYED', 'replayed, or delivered twice').failure
