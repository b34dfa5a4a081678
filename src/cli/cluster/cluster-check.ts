/** What a check of `ghostport cluster check` is, what it knows, and how it says what it has found. */
import type { ClusterStatus } from '../../daemon/warden/cluster-process/cluster.ts'
import type { ClusterUsersStatus } from '../../daemon/warden/cluster-users/cluster-users.ts'
import type { FromClusterStatus } from '../../daemon/warden/status.ts'
import type { Survey } from '../../etcd/survey-report.ts'
import type { Answer, Check, Cure, Finding, Severity } from '../../host/doctor/check.ts'

/** What is known when the checks are asked. */
export interface ClusterFacts {
  readonly survey: Survey
  readonly secure: boolean
  readonly staysHere: boolean
  readonly hasLogin: boolean
  readonly node: string
  /** Of this ghostport. */
  readonly version: string
  /** How long this node keeps a claim, by its settings. */
  readonly life: number
  /** Seconds since 1970. */
  readonly now: number
  /** The end of the certificate that this node shows. */
  readonly ownCertificateUntil: number | undefined
  /** The end of the first certificate in CLUSTER_CA_FILE that ends. */
  readonly authorityUntil: number | undefined
  /** `--days` */
  readonly days: number
  /** What the running server says; or why it is not known. */
  readonly server: ServerFacts | { readonly because: string } | undefined
}

/** What the running server says of itself. */
export interface ServerFacts extends ClusterStatus {
  /** Absent: it has no CLUSTER_SECRET_FILE. */
  readonly fromCluster?: FromClusterStatus
  /** Absent: it has no CLUSTER_USERS. */
  readonly clusterUsers?: ClusterUsersStatus
}

export interface ClusterCheck extends Pick<Check, 'code' | 'question'> {
  readonly judge: (facts: ClusterFacts) => Answer
}

/** How far the clocks of nodes may be apart: as long as claims outlive their packets. */
export const MOST_SKEW = 300

export const found = (severity: Severity, text: string, evidence: readonly string[], cure?: Cure): Finding => ({
  ...{ severity, text, evidence },
  ...(cure !== undefined && { cure }),
})
export const advice = (text: string): Cure => ({ advice: text })
