/** A cluster with one node that is knocked at, and gates. Three members of etcd on the same host. */
import { ClusterLab, type ClusterNode } from '../test/support/cluster-lab.ts'
import type { BenchKeys } from './knocks.ts'
import { ghostportBinary } from './servers/ghostport.ts'
import { accessText } from './servers/server.ts'

/** The stanza of all. */
export const STANZA = 'bench'

export class GatesLab implements AsyncDisposable {
  readonly cluster: ClusterLab
  readonly origin: ClusterNode
  readonly gates: readonly ClusterNode[]

  /** @param lifetime of a grant, in seconds. Default that of {@link accessText}. */
  static async create(keys: BenchKeys, gates: number, lifetime?: number): Promise<GatesLab> {
    const access = `NAME ${STANZA}\nGATES node-*\nFROM_CLUSTER Y\n`
    const cluster = await ClusterLab.create({
      ...{ nodes: 1 + gates, members: 3, secret: true },
      settings: {
        access: accessText({ keys, access, ...(lifetime !== undefined && { lifetime }) }),
        server: ['FIREWALL_MODE mark'],
        program: [process.execPath, ghostportBinary],
      },
    })
    const lab = new GatesLab(cluster)
    await cluster.usable().catch(async (error: unknown) => {
      await lab[Symbol.asyncDispose]()
      throw error
    })
    return lab
  }

  private constructor(cluster: ClusterLab) {
    const [origin, ...gates] = cluster.nodes
    if (origin === undefined) throw new Error('there is no node')
    this.cluster = cluster
    this.origin = origin
    this.gates = gates
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
  }
}
