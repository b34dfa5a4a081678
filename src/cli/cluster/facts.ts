/** What `ghostport cluster status` and `check` look at: etcd, by an errand, and the server of this host. */
import { X509Certificate } from 'node:crypto'
import { staysHere } from '../../config/server/cluster-settings.ts'
import { lifeOfClaim } from '../../daemon/warden/cluster-process/cluster.ts'
import { askControl } from '../../daemon/warden/control.ts'
import type { Status } from '../../daemon/warden/status.ts'
import { ok, type Result } from '../../result.ts'
import { ownVersion } from '../../system/own-version.ts'
import type { ClusterFacts } from './cluster-check.ts'
import { survey } from './errand.ts'
import type { InCluster } from './host-settings.ts'

/** @returns what is wrong with the errand itself. What etcd refuses is part of the facts. */
export async function clusterFacts(
  { cluster, secrets, config }: InCluster,
  days: number,
): Promise<Result<ClusterFacts>> {
  const seen = await survey({ members: cluster.members, cluster: cluster.cluster, ...secrets })
  if (!seen.ok) return seen
  const { maxAge } = config.policy
  return ok({
    survey: seen.value,
    ...{ secure: cluster.secure, staysHere: staysHere(cluster), hasLogin: secrets.login !== undefined },
    ...{ node: cluster.node, version: ownVersion(), days, now: Math.floor(Date.now() / 1000) },
    // A cluster has an age: else its settings are refused.
    life: maxAge === 'unlimited' ? 0 : lifeOfClaim(maxAge),
    ownCertificateUntil: firstEnd(secrets.tls?.own?.certificate),
    authorityUntil: firstEnd(secrets.tls?.authorities),
    server: await serverHere(config.controlSocket),
  })
}

async function serverHere(socket: string): Promise<ClusterFacts['server']> {
  const answer = await askControl(socket, 'status')
  if (!answer.ok) return { because: `no server answers: ${answer.failure.detail}` }
  // Our own daemon, behind a socket that only root can have made.
  const { cluster, fromCluster, clusterUsers } = answer.value as Status
  return cluster && { ...cluster, ...(fromCluster && { fromCluster }), ...(clusterUsers && { clusterUsers }) }
}

/** Of PEM that was read from a trusted file. @returns seconds since 1970. */
function firstEnd(pem: string | undefined): number | undefined {
  const each = pem?.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  const ends = each.map((one) => Math.floor(Date.parse(new X509Certificate(one).validTo) / 1000))
  return ends.length === 0 ? undefined : Math.min(...ends)
}
