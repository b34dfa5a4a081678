/**
 * The second half of a packet's life, in the process that owns the firewall: knock → claim → decide → open. If policy
 * needs the address of a name that the knock asks for, its verdict has `lookUp`. The knock comes back with the address,
 * already claimed.
 */
import { checkAge } from '../../../access/age.ts'
import { decide } from '../../../access/decide.ts'
import { gatewayRules } from '../../../access/gateways.ts'
import { takesReport } from '../../../access/gnupg-report.ts'
import { decrypterName, type Keyring, type KeyringName } from '../../../access/keyring.ts'
import type { StanzaIndex } from '../../../access/matching.ts'
import type { Unresolvable } from '../../../access/openings.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Stanza } from '../../../access/stanza.ts'
import { type Refusal, refusal, USED_BEFORE, usedAtNode, type Verdict } from '../../../access/verdict.ts'
import type { Clock } from '../../../clock.ts'
import type { CommandRunner } from '../../../commands/commands.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import type { IpAddress } from '../../../packet/address.ts'
import type { ReplayDigest } from '../../../packet/replay-digest.ts'
import type { Answer, Claim, ReplayStore } from '../../../replay/replay-store.ts'
import { refuse } from '../../../result.ts'
import type { UnixSeconds } from '../../../units.ts'
import type { Attestation, Attested } from '../../link/attestation.ts'
import { type Knock, keyKindOf, requestOf } from '../../link/knock.ts'
import type { ClusterClaim } from '../cluster-process/cluster.ts'
import { claim, claimOf } from './claim.ts'
import { type CloseOwn, open } from './open.ts'

/** What judging needs. */
export interface Judging {
  readonly policy: Policy
  /** Of the policy's stanzas. */
  readonly index: StanzaIndex
  readonly replays: Pick<ReplayStore, 'claim'>
  readonly firewall: Pick<Firewall, 'open'>
  readonly closeOwn?: CloseOwn | undefined
  readonly commands: CommandRunner
  readonly clock: Clock
  /** Whether the GnuPG process vouches for this. Absent: there is none. */
  readonly isAttested?: ((attested: Attested, attestation: Attestation) => boolean) | undefined
  /** A packet that is new here must be new in the whole cluster: its verdict then has `askCluster`. */
  readonly isInCluster?: boolean
  /**
   * Called for the packets that are new here, while the store writes them: the cluster can be asked meanwhile. Nothing
   * opens before the store has them on the disk, and never if it fails.
   */
  readonly onNewHere?: ((digests: readonly ReplayDigest[]) => void) | undefined
  /** Why stanzas of the cluster grant nothing now. */
  readonly clusterCopyOld?: string | undefined
  /** The addresses of this host now. Called if a knock may lead to another host. */
  readonly ownAddresses: () => ReadonlySet<IpAddress>
}

/**
 * Judges knocks that arrived together, with one commit of the replay store and one transaction of the firewall for all.
 * @returns one verdict for each knock, in order. A grant in it is open.
 */
export async function judge(knocks: readonly Knock[], judging: Judging): Promise<readonly Verdict[]> {
  const { clock } = judging
  const now = clock.now()
  const openers = knocks.map((knock) => openersOf(knock, judging, now))
  const claims = openers.flatMap((opener) => ('stanzas' in opener ? [claimOf(opener.knock, opener.keyring.name)] : []))
  const { onNewHere } = judging
  const onDecided = onNewHere && ((answers: readonly Answer[]) => onNewHere(newOf(claims, answers)))
  const claimed = await claim(claims, judging, now, onDecided)
  if (!claimed.ok)
    return openers.map((opener) => ('stanzas' in opener ? refusal(claimed.failure, opener.stanzas) : opener))

  const answers = claimed.value.values()
  const verdicts = openers.map((opener) =>
    'stanzas' in opener ? decideClaimed(opener.knock, opener.stanzas, answers.next().value, judging, now) : opener,
  )
  return await open(verdicts, judging)
}

function newOf(claims: readonly Claim[], answers: readonly Answer[]): readonly ReplayDigest[] {
  return claims.flatMap(({ digest }, i) => (answers[i] === 'first' ? [digest] : []))
}

const FORBIDDEN = refuse(
  'WARDEN_FORBIDDEN',
  'the stanza that the receiver named is not for the packet’s source and port',
).failure
const NOT_ATTESTED = refuse(
  'GNUPG_FAILED',
  'the GnuPG process of this moment does not vouch for the packet; knock again',
).failure

const NOT_ASKED = refuse('CLUSTER_UNREACHABLE', 'the cluster was not asked yet').failure

/** A knock whose packet is already claimed: it waited for the cluster, or for a name. */
export interface ClaimedKnock {
  readonly knock: Knock
  /** The keys that opened it. They may have other stanzas by now, or none. */
  readonly keyring: KeyringName
  /** Absent: an answer from an earlier configuration does not count. */
  readonly resolvedTarget?: IpAddress | Unresolvable
  /** Absent: there is no cluster. */
  readonly cluster?: ClusterClaim
}

/** Judges knocks that waited, under the current policy. @returns like {@link judge}. */
export async function judgeClaimed(knocks: readonly ClaimedKnock[], judging: Judging): Promise<readonly Verdict[]> {
  const now = judging.clock.now()
  const verdicts = knocks.map(({ knock, keyring, resolvedTarget, cluster = 'first' }) => {
    const candidates = stanzasWith(keyring, knock, judging.index)
    if (typeof cluster === 'object' && 'usedAt' in cluster) return refusal(usedAtNode(cluster.usedAt), candidates)
    const clusterSilence = cluster === 'first' ? undefined : cluster.unknown
    const verdict = decideAbout(knock, candidates, judging, now, { resolvedTarget, clusterSilence })
    return withReceipt(verdict, knock, judging, now)
  })
  return await open(verdicts, judging)
}

function stanzasWith(name: KeyringName, { packet }: Knock, index: StanzaIndex): readonly Stanza[] {
  const keyring = index.keyringNamed(name)
  return keyring === undefined ? [] : index.stanzasFor(keyring, packet.source, packet.destinationPort)
}

/** A knock, the keys that opened it, and the stanzas that have them: at least one. */
interface Opener {
  readonly knock: Knock
  readonly keyring: Keyring
  readonly stanzas: readonly Stanza[]
}

/**
 * The receiver is trusted about which symmetric keys opened the packet, never about which sources they are for. What
 * GnuPG opened, the GnuPG process vouches for.
 */
function openersOf(knock: Knock, judging: Judging, now: UnixSeconds): Opener | Refusal {
  const { index, isAttested } = judging
  const opener = index.byId(knock.openedBy)
  const keyring = opener === undefined ? undefined : index.keyringOf(opener, keyKindOf(knock))
  const { source, destinationPort } = knock.packet
  const stanzas = keyring === undefined ? [] : index.stanzasFor(keyring, source, destinationPort)
  if (keyring === undefined || stanzas.length === 0) return refusal(FORBIDDEN)
  const { gnupg, digest, message } = knock
  if (gnupg !== undefined && keyring.encryption.kind === 'gnupg') {
    const { signature, decryptIds } = gnupg
    const attested = { decrypter: decrypterName(keyring.encryption), digest, signature, decryptIds, message }
    if (isAttested?.(attested, gnupg.attestation) !== true) return refusal(NOT_ATTESTED, stanzas)
    // Anybody can encrypt for the server. Such packets must not use up the share that signers have of the store.
    const isWelcome = stanzas.some((stanza) => takesReport(stanza, gnupg))
    const verdict = isWelcome ? undefined : decideAbout(knock, stanzas, judging, now)
    if (verdict?.granted === false) return verdict
  }
  return { knock, keyring, stanzas }
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
  if (claimed === 'first' && judging.isInCluster) return { ...refusal(NOT_ASKED, candidates), askCluster: true }
  const verdict = decideAbout(knock, candidates, judging, now)
  return claimed === 'first' ? withReceipt(verdict, knock, judging, now) : verdict
}

/** @param verdict of a packet that was recorded as used for it. */
function withReceipt(verdict: Verdict, { packet }: Knock, { policy }: Judging, now: UnixSeconds): Verdict {
  const isByUdp = packet.way === undefined || packet.way === 'udp-socket'
  const isDue = policy.refuseReplays && isByUdp && gatewayRules(policy, packet.source)?.receipts === true
  return isDue ? { ...verdict, receiptDue: now } : verdict
}

/** What others said of a knock while it waited. */
interface Learned {
  readonly resolvedTarget?: IpAddress | Unresolvable | undefined
  /** Why the cluster does not say that the packet is new. */
  readonly clusterSilence?: string | undefined
}

function decideAbout(
  knock: Knock,
  candidates: readonly Stanza[],
  { policy, ownAddresses, clusterCopyOld }: Judging,
  now: UnixSeconds,
  { resolvedTarget, clusterSilence }: Learned = {},
): Verdict {
  const leadsOn = knock.message.kind === 'natAccess' || candidates.some(({ forceNat }) => forceNat !== undefined)
  const request = {
    ...requestOf(knock),
    ...(leadsOn && { ownAddresses: ownAddresses() }),
    ...(resolvedTarget !== undefined && { resolvedTarget }),
    ...(clusterSilence !== undefined && { clusterSilence }),
    ...(clusterCopyOld !== undefined && { clusterCopyOld }),
  }
  return decide(policy, candidates, request, now)
}
