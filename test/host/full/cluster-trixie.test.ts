import { describeCluster } from './cluster.ts'

describeCluster('trixie')
