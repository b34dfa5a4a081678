import { describeCluster } from './cluster.ts'

describeCluster('bookworm')
