/**
 * Servers that share a cluster, the etcd that they share, and a client: each a host of its own, on one switch that can
 * keep any two of them apart.
 *
 *   etcd members 10.9.0.11, .12, .13 ── switch ── nodes 10.9.0.21, .22, …
 *                                          └───── client 10.9.0.1
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, type DaemonSettings, dropByDefault, keys, stanza } from './daemon.ts'
import { type Host, Network, type Program } from './netns.ts'

export const CLIENT = '10.9.0.1'
const MEMBERS = ['10.9.0.11', '10.9.0.12', '10.9.0.13']
/** etcd then finds a new leader within a second. */
const ELECTION = ['--heartbeat-interval', '100', '--election-timeout', '1000']

export interface LabHost {
  readonly host: Host
  readonly address: string
  /** Its cable at the switch. */
  readonly port: string
}

export interface ClusterNode extends LabHost {
  readonly name: string
  readonly daemon: Daemon
}

export class ClusterLab implements AsyncDisposable {
  readonly net: Network
  readonly members: readonly EtcdMember[]
  readonly client: LabHost
  readonly nodes: readonly ClusterNode[]
  readonly #switch: Host

  /** @param options.members 1 or 3. */
  static async create(
    options: { readonly nodes?: number; readonly members?: 1 | 3; readonly settings?: Partial<DaemonSettings> } = {},
  ): Promise<ClusterLab> {
    const net = await Network.create()
    try {
      const hub = await net.host('switch')
      hub.must(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
      hub.must(['ip', 'link', 'set', 'br0', 'up'])
      hub.must(['nft', '-f', '-'], {
        input: `table bridge faults {
          set apart { type ifname . ifname; }
          chain loss { }
          chain forward { type filter hook forward priority 0; iifname . oifname @apart drop; jump loss; }
        }\n`,
      })
      const plug = async (name: string, address: string): Promise<LabHost> => {
        const host = await net.host(name)
        const [, port] = await net.link(host, [`${address}/24`], hub, [])
        hub.must(['ip', 'link', 'set', port, 'master', 'br0'])
        return { host, address, port }
      }
      const client = await plug('client', CLIENT)
      const addresses = MEMBERS.slice(0, options.members ?? 1)
      const members: EtcdMember[] = []
      for (const [i, address] of addresses.entries())
        members.push(new EtcdMember(await plug(`etcd-${i + 1}`, address), `m${i + 1}`, addresses, net.directory()))
      for (const member of members) member.start()
      for (const member of members) await member.ready()
      const nodes: ClusterNode[] = []
      for (let i = 0; i < (options.nodes ?? 2); i++) {
        const [name, plugged] = [`node-${i + 1}`, await plug(`node-${i + 1}`, `10.9.0.${21 + i}`)]
        dropByDefault(plugged.host)
        await plugged.host.listen([{ protocol: 'tcp', port: 22, banner: `ssh at ${name}` }])
        const daemon = await Daemon.start(net, plugged.host, {
          access: options.settings?.access ?? stanza(['FW_ACCESS_TIMEOUT 5'], keys),
          ...(options.settings?.argv !== undefined && { argv: options.settings.argv }),
          server: [
            `CLUSTER etcd://${addresses.map((address) => `${address}:2379`).join(',')}/front`,
            `CLUSTER_NODE ${name}`,
            ...(options.settings?.server ?? []),
          ],
        })
        nodes.push({ ...plugged, name, daemon })
      }
      return new ClusterLab(net, hub, client, members, nodes)
    } catch (error) {
      await net.close()
      throw error
    }
  }

  private constructor(
    net: Network,
    hub: Host,
    client: LabHost,
    members: readonly EtcdMember[],
    nodes: readonly ClusterNode[],
  ) {
    this.net = net
    this.#switch = hub
    this.client = client
    this.members = members
    this.nodes = nodes
  }

  /** Nothing passes between these two groups, in either direction. */
  apart(some: readonly LabHost[], others: readonly LabHost[]): void {
    const pairs = some.flatMap((one) => others.flatMap((other) => [[one, other] as const, [other, one] as const]))
    const elements = pairs.map(([from, to]) => `"${from.port}" . "${to.port}"`).join(', ')
    this.#switch.must(['nft', 'add', 'element', 'bridge', 'faults', 'apart', `{ ${elements} }`])
  }

  /** So many frames of a hundred are lost, of all that passes. */
  lose(percent: number): void {
    this.#switch.must(['nft', 'flush', 'chain', 'bridge', 'faults', 'loss'])
    if (percent === 0) return
    const rule = `numgen random mod 100 < ${percent} drop`.split(' ')
    this.#switch.must(['nft', 'add', 'rule', 'bridge', 'faults', 'loss', ...rule])
  }

  /** Everything passes again. */
  heal(): void {
    this.#switch.must(['nft', 'flush', 'set', 'bridge', 'faults', 'apart'])
    this.#switch.must(['nft', 'flush', 'chain', 'bridge', 'faults', 'loss'])
  }

  /** Waits until each node says that the cluster is usable. */
  async usable(nodes: readonly ClusterNode[] = this.nodes): Promise<void> {
    for (const { daemon, name } of nodes) {
      const deadline = performance.now() + 20_000
      for (;;) {
        const { cluster } = daemon.status() as { readonly cluster?: { readonly usable: boolean } }
        if (cluster?.usable) break
        assert.ok(performance.now() < deadline, `${name}: ${JSON.stringify(cluster)}`)
        await delay(50)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.net.close()
  }
}

/** One real etcd. */
export class EtcdMember implements LabHost {
  readonly host: Host
  readonly address: string
  readonly port: string
  readonly name: string
  readonly folder: string
  readonly #others: readonly string[]
  #program: Program | undefined

  constructor(at: LabHost, name: string, all: readonly string[], folder: string) {
    ;({ host: this.host, address: this.address, port: this.port } = at)
    this.name = name
    this.folder = folder
    this.#others = all
  }

  get pid(): number {
    assert.ok(this.#program)
    return this.#program.pid
  }

  start(): void {
    const { address, name } = this
    const initial = this.#others.map((other, i) => `m${i + 1}=http://${other}:2380`).join(',')
    this.#program = this.host.start([
      ...['etcd', '--name', name, '--data-dir', join(this.folder, 'data'), '--logger', 'zap', '--log-level', 'error'],
      ...['--listen-client-urls', `http://${address}:2379,http://127.0.0.1:2379`],
      ...['--advertise-client-urls', `http://${address}:2379`],
      ...['--listen-peer-urls', `http://${address}:2380`, '--initial-advertise-peer-urls', `http://${address}:2380`],
      ...['--initial-cluster', initial, '--initial-cluster-token', 'lab', ...ELECTION],
    ])
  }

  async ready(): Promise<void> {
    const deadline = performance.now() + 20_000
    while (this.etcdctl('get', 'nothing').status !== 0) {
      assert.ok(performance.now() < deadline, `${this.name}: ${this.#program?.output}`)
      await delay(100)
    }
  }

  /** `etcdctl`, at this member. */
  etcdctl(...argv: readonly string[]): { readonly status: number | null; readonly stdout: string } {
    return this.host.run(['etcdctl', '--endpoints', 'http://127.0.0.1:2379', '--command-timeout', '2s', ...argv], {
      env: { ETCDCTL_API: '3' },
    })
  }

  async kill(): Promise<void> {
    await this.#program?.stop('SIGKILL')
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.pid, signal)
  }
}
