/** The checks of `ghostport cluster check`: each a question about a survey, and a judgement. Pure. */
import type { ClusterCheck } from './cluster-check.ts'
import { etcdChecks } from './etcd-checks.ts'
import { nodeChecks } from './node-checks.ts'

export const clusterChecks: readonly ClusterCheck[] = [...etcdChecks, ...nodeChecks]
