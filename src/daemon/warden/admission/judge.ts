/**
 * The second half of a packet's life, in the process that owns the firewall: knock → claim → decide → open. If policy
 * needs the address of a name that the knock asks for, its verdict has `lookUp`. The knock comes back with the address,
 * already claimed.
 */
import { checkAge } from '../../../access/age.ts'
import { decide } from '../../../access/decide.ts'
import type { KeyringName } from '../../../access/keyring.ts'
import type { StanzaIndex } from '../../../access/matching.ts'
import type { Unresolvable } from '../../../access/openings.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Stanza } from '../../../access/stanza.ts'
import { refusal, USED_BEFORE, type Verdict } from '../../../access/verdict.ts'
import type { Clock } from '../../../clock.ts'
import type { CommandRunner } from '../../../commands/commands.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import type { IpAddress } from '../../../packet/address.ts'
import type { Answer, ReplayStore } from '../../../replay/replay-store.ts'
import { refuse } from '../../../result.ts'
import type { UnixSeconds } from '../../../units.ts'
import { type Knock, requestOf } from '../../link/knock.ts'
import { claim, claimOf } from './claim.ts'
import { open } from './open.ts'

/** What judging needs. */
export interface Judging {
  readonly policy: Policy
  /** Of the policy's stanzas. */
  readonly index: StanzaIndex
  readonly replays: Pick<ReplayStore, 'claim'>
  readonly firewall: Pick<Firewall, 'open'>
  readonly commands: CommandRunner
  readonly clock: Clock
  /** The addresses of this host now. Called if a knock may lead to another host. */
  readonly ownAddresses: () => ReadonlySet<IpAddress>
}

/**
 * Judges knocks that arrived together, with one commit of the replay store and one transaction of the firewall for all.
 * @returns one verdict for each knock, in order. A grant in it is open.
 */
export async function judge(knocks: readonly Knock[], judging: Judging): Promise<readonly Verdict[]> {
  const { index, clock } = judging
  const now = clock.now()
  const candidates = knocks.map((knock) => candidatesOf(knock, index))
  const claims = knocks.flatMap((knock, i) => {
    const [stanza] = candidates[i] ?? []
    return stanza === undefined ? [] : [claimOf(knock, index.keyringOf(stanza).name)]
  })
  const claimed = await claim(claims, judging, now)
  if (!claimed.ok)
    return candidates.map((stanzas) => (stanzas === undefined ? refusal(FORBIDDEN) : refusal(claimed.failure, stanzas)))

  const answers = claimed.value.values()
  const verdicts = knocks.map((knock, i) => {
    const stanzas = candidates[i]
    return stanzas === undefined
      ? refusal(FORBIDDEN)
      : decideClaimed(knock, stanzas, answers.next().value, judging, now)
  })
  return await open(verdicts, judging)
}

const FORBIDDEN = refuse(
  'WARDEN_FORBIDDEN',
  'the stanza that the receiver named is not for the packet’s source',
).failure

/** A knock whose packet is already claimed: it waited for a name. */
export interface ClaimedKnock {
  readonly knock: Knock
  /** The keys that opened it. They may have other stanzas by now, or none. */
  readonly keyring: KeyringName
  /** Absent: an answer from an earlier configuration does not count. */
  readonly resolvedTarget?: IpAddress | Unresolvable
}

/** Judges knocks that waited for a name, under the current policy. @returns like {@link judge}. */
export async function judgeClaimed(knocks: readonly ClaimedKnock[], judging: Judging): Promise<readonly Verdict[]> {
  const now = judging.clock.now()
  const verdicts = knocks.map(({ knock, keyring, resolvedTarget }) => {
    const candidates = stanzasWith(keyring, knock, judging.index)
    return decideAbout(knock, candidates, judging, now, resolvedTarget)
  })
  return await open(verdicts, judging)
}

function stanzasWith(name: KeyringName, { packet }: Knock, index: StanzaIndex): readonly Stanza[] {
  const keyring = index.keyringNamed(name)
  return keyring === undefined ? [] : index.stanzasFor(keyring, packet.source)
}

/** The receiver is trusted about which keys opened the packet, never about which sources they are for. */
function candidatesOf({ openedBy, packet }: Knock, index: StanzaIndex): readonly Stanza[] | undefined {
  const opener = index.byId(openedBy)
  if (opener === undefined) return undefined
  const candidates = index.stanzasFor(index.keyringOf(opener), packet.source)
  return candidates.length === 0 ? undefined : candidates
}

function decideClaimed(
  knock: Knock,
  candidates: readonly Stanza[],
  claimed: Answer | undefined,
  judging: Judging,
  now: UnixSeconds,
): Verdict {
  if (typeof claimed === 'object') return refusal(claimed, candidates)
  // A packet that was used before is refused here. If its date is wrong too, it goes on, and is refused for the date:
  // that message shows both clocks, which tells the operator more.
  if (claimed !== 'first' && checkAge(knock.message.timestamp, judging.policy.maxAge, now).ok)
    return refusal(USED_BEFORE, candidates)
  return decideAbout(knock, candidates, judging, now)
}

function decideAbout(
  knock: Knock,
  candidates: readonly Stanza[],
  { policy, ownAddresses }: Judging,
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
