/**
 * What a node makes of a grant of another node: the same decision as for a packet, by its own stanza, and never longer
 * than the grant says. Pure.
 */
import { decide } from '../../../access/decide.ts'
import type { Grant } from '../../../access/grant.ts'
import type { Policy } from '../../../access/policy.ts'
import type { Stanza } from '../../../access/stanza.ts'
import { sameNameKey } from '../../../access/stanza-name.ts'
import type { GrantRecord } from '../../../cluster-record/gate-records.ts'
import type { IpAddress } from '../../../packet/address.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import { seconds, type UnixSeconds, unixSeconds } from '../../../units.ts'

/** How far the clocks of two nodes may be apart, in seconds. */
const MOST_SKEW = 300

/** @returns the stanza here that judges it; undefined if none may. */
export function stanzaFor({ name }: Pick<GrantRecord, 'name'>, { stanzas }: Policy): Stanza | undefined {
  const key = sameNameKey(name)
  return stanzas.find((one) => one.fromCluster && one.name !== undefined && sameNameKey(one.name) === key)
}

/** @returns when it ends here at the latest: from the moment of the first grant, also at a node that was away. */
export function endHere({ made, end }: Pick<GrantRecord, 'made' | 'end'>, { maxTimeout }: Stanza): UnixSeconds {
  return unixSeconds(Math.min(end, made + maxTimeout))
}

/** For a stanza that is not here yet. */
const LEAST_MEMORY = 3600

/**
 * No grant that is made by now lives here after this. Its record may say more: a captured node can write any end.
 * @param policy under which it would be opened.
 */
export function latestEnd({ stanzas }: Policy, now: UnixSeconds): UnixSeconds {
  let longest = LEAST_MEMORY
  for (const { maxTimeout, fromCluster, gates } of stanzas)
    if (fromCluster || gates !== undefined) longest = Math.max(longest, maxTimeout)
  return unixSeconds(now + MOST_SKEW + longest)
}

export interface JudgingHere {
  readonly policy: Policy
  readonly ownAddresses: () => ReadonlySet<IpAddress>
  /** Why stanzas of the cluster (CLUSTER_USERS) grant nothing now. */
  readonly clusterCopyOld?: string | undefined
}

/** @returns the grant for the firewall; else why nothing opens, with the code of the check that denied. */
export function judgeRecord(
  record: GrantRecord,
  { policy, ownAddresses, clusterCopyOld }: JudgingHere,
  now: UnixSeconds,
): Result<Grant> {
  const { name, user, source, from, ports, made, end } = record
  if (made > now + MOST_SKEW)
    return refuse('SPA_FROM_FUTURE', `granted ${made - now} s ahead of this clock: the clocks of two nodes differ`)
  if (end <= now) return refuse('SPA_STALE', `it ended ${now - end} s ago, by this clock`)
  const stanza = stanzaFor(record, policy)
  if (stanza === undefined) return refuse('ACCESS_NO_STANZA', `no stanza here has the NAME ${name} and FROM_CLUSTER Y`)
  const left = endHere(record, stanza) - now
  if (left <= 0) return refuse('SPA_STALE', `MAX_FW_TIMEOUT of the stanza here ended ${-left} s ago`)
  const timeout = seconds(left)
  const header = { random: '0'.repeat(16), username: user, timestamp: now, version: '3.0.0', source }
  const request = {
    message: { kind: 'access', ...header, ports, timeout },
    packetSource: from,
    ownAddresses: ownAddresses(),
    ...(clusterCopyOld !== undefined && { clusterCopyOld }),
  } as const
  // Its age and its being new were judged where the packet came in; the record has its own end.
  const verdict = decide(policy, [stanza], request, now)
  if (!verdict.granted) return { ok: false, failure: verdict.failure }
  if (verdict.action.kind !== 'grant') return refuse('ACCESS_REQUEST_INVALID', 'the stanza here opens by commands')
  return ok(verdict.action.grant)
}
