/**
 * The second half of a packet's life, in the process that owns the firewall: knocks → grants, opened. Each packet that is
 * not misdated is burnt before anything opens for it, durably, and also where policy denies what it asks for. A name is looked up
 * for a knock that is burnt, and would be granted if policy allows the address: the verdict then says `lookUp`, and the knock
 * comes back with the address.
 */
import { checkAge } from '../../../access/age.ts'
import { decide } from '../../../access/decide.ts'
import type { Grant } from '../../../access/grant.ts'
import type { KeyringName } from '../../../access/keyring.ts'
import type { StanzaIndex } from '../../../access/matching.ts'
import type { Unresolvable } from '../../../access/openings.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Stanza } from '../../../access/stanza.ts'
import {
  type Action,
  type GrantAction,
  type Granted,
  type Refusal,
  refusal,
  USED_BEFORE,
  type Verdict,
} from '../../../access/verdict.ts'
import type { Clock } from '../../../clock.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import type { IpAddress } from '../../../packet/address.ts'
import type { Answer, Claim, ReplayFailure, ReplayStore } from '../../../replay/replay-store.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import type { UnixSeconds } from '../../../units.ts'
import { type Knock, requestOf } from '../../link/knock.ts'

export interface Admitting {
  readonly policy: Policy
  /** Of the policy's stanzas. */
  readonly index: StanzaIndex
  readonly replays: Pick<ReplayStore, 'claim'>
  readonly firewall: Pick<Firewall, 'open'>
  readonly clock: Clock
  /** The addresses of this host now. Asked where a knock may lead to another host. */
  readonly ownAddresses: () => ReadonlySet<IpAddress>
}

/**
 * Decides about knocks that arrived together: one commit of the replay store and one transaction of the firewall for all.
 * @returns one verdict for each knock, in order. A grant in it is open.
 */
export async function admit(knocks: readonly Knock[], admitting: Admitting): Promise<readonly Verdict[]> {
  const { index, firewall, clock } = admitting
  const now = clock.now()
  const candidates = knocks.map((knock) => candidatesOf(knock, index))
  const claims = knocks.flatMap((knock, i) => {
    const [stanza] = candidates[i] ?? []
    return stanza === undefined ? [] : [claimOf(knock, index.keyringOf(stanza).name)]
  })
  const claimed = await claim(claims, admitting, now)
  if (!claimed.ok)
    return candidates.map((stanzas) => (stanzas === undefined ? refusal(FORBIDDEN) : refusal(claimed.failure, stanzas)))

  const answers = claimed.value.values()
  const verdicts = knocks.map((knock, i) => {
    const stanzas = candidates[i]
    return stanzas === undefined ? refusal(FORBIDDEN) : judge(knock, stanzas, answers.next().value, admitting, now)
  })
  return await open(verdicts, firewall)
}

type Opened = Awaited<ReturnType<Firewall['open']>>[number]

const FORBIDDEN = refuse('WARDEN_FORBIDDEN', 'no stanza of this number is for the packet’s source').failure

/** A knock whose packet is burnt already: it waited for a name. */
export interface BurntKnock {
  readonly knock: Knock
  /** The keys that opened it. They may have other stanzas by now, or none. */
  readonly keyring: KeyringName
  /** Absent: what was looked up under an earlier configuration does not count. */
  readonly resolvedTarget?: IpAddress | Unresolvable
}

/** Decides about knocks that waited for a name, under the policy of now. @returns as {@link admit} does. */
export async function admitBurnt(knocks: readonly BurntKnock[], admitting: Admitting): Promise<readonly Verdict[]> {
  const now = admitting.clock.now()
  const verdicts = knocks.map(({ knock, keyring, resolvedTarget }) => {
    const candidates = stanzasWith(keyring, knock, admitting.index)
    return decideAbout(knock, candidates, admitting, now, resolvedTarget)
  })
  return await open(verdicts, admitting.firewall)
}

function stanzasWith(name: KeyringName, { packet }: Knock, index: StanzaIndex): readonly Stanza[] {
  const keyring = index.keyringNamed(name)
  return keyring === undefined ? [] : index.stanzasFor(keyring, packet.source)
}

/** The receiver's word is enough for which keys opened the packet, never for whom they are. */
function candidatesOf({ openedBy, packet }: Knock, index: StanzaIndex): readonly Stanza[] | undefined {
  const opener = index.byId(openedBy)
  if (opener === undefined) return undefined
  const candidates = index.stanzasFor(index.keyringOf(opener), packet.source)
  return candidates.length === 0 ? undefined : candidates
}

function claimOf({ digest, fwknopDigest, message: { timestamp } }: Knock, keyring: KeyringName): Claim {
  return { digest, fwknopDigest, timestamp, keyring }
}

async function claim(
  claims: readonly Claim[],
  { policy, replays }: Admitting,
  now: UnixSeconds,
): Promise<Result<readonly Answer[], ReplayFailure>> {
  if (!policy.refuseReplays || claims.length === 0) return ok(claims.map(() => 'first'))
  return await replays.claim(claims, now)
}

function judge(
  knock: Knock,
  candidates: readonly Stanza[],
  claimed: Answer | undefined,
  admitting: Admitting,
  now: UnixSeconds,
): Verdict {
  if (typeof claimed === 'object') return refusal(claimed, candidates)
  // Only what is first goes on. What is misdated, used or not, is told so: the clocks say more to the operator.
  if (claimed !== 'first' && checkAge(knock.message.timestamp, admitting.policy.maxAge, now).ok)
    return refusal(USED_BEFORE, candidates)
  return decideAbout(knock, candidates, admitting, now)
}

function decideAbout(
  knock: Knock,
  candidates: readonly Stanza[],
  { policy, ownAddresses }: Admitting,
  now: UnixSeconds,
  resolvedTarget?: IpAddress | Unresolvable,
): Verdict {
  const leadsOn = knock.message.kind === 'natAccess' || candidates.some(({ forceNat }) => forceNat !== undefined)
  const request = {
    ...requestOf(knock),
    ...(leadsOn && { ownAddresses: ownAddresses() }),
    ...(resolvedTarget !== undefined && { resolvedTarget }),
  }
  return decide(policy, candidates, request, now)
}

async function open(verdicts: readonly Verdict[], firewall: Pick<Firewall, 'open'>): Promise<readonly Verdict[]> {
  const grants = verdicts.flatMap((verdict) => (verdict.granted ? grantsOf(verdict.action) : []))
  if (grants.length === 0) return verdicts
  const opened = (await firewall.open(grants)).values()
  return verdicts.map((verdict) => (verdict.granted ? carriedOut(verdict, opened) : verdict))
}

/** What the firewall is to open for an action. */
function grantsOf(action: Action): readonly Grant[] {
  switch (action.kind) {
    case 'grant':
      return [action.grant]
    default:
      return action.kind satisfies never
  }
}

/** @param opened the firewall's answers, those to this verdict's {@link grantsOf} next. */
function carriedOut(verdict: Granted, opened: Iterator<Opened>): Granted | Refusal {
  const { action } = verdict
  switch (action.kind) {
    case 'grant':
      return asOpened(verdict, action, opened.next().value)
    default:
      return action.kind satisfies never
  }
}

function asOpened(verdict: Granted, action: GrantAction, opened: Opened | undefined): Granted | Refusal {
  if (opened?.ok) return { ...verdict, action: { ...action, ...opened.value } }
  const failure = opened?.failure ?? refuse('FIREWALL_REFUSED', 'the firewall gave no answer').failure
  return { granted: false, failure, stanza: verdict.stanza, denials: verdict.denials }
}
