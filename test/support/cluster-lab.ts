/**
 * Servers that share a cluster, the etcd that they share, and a client: each a host of its own, on one switch that can
 * keep any two of them apart.
 *
 *   etcd members 10.9.0.11, .12, .13 ── switch ── nodes 10.9.0.21, .22, …
 *                                          └───── client 10.9.0.1
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, type DaemonSettings, dropByDefault, keys, stanza } from './daemon.ts'
import { EtcdMember, type LabHost } from './etcd-member.ts'
import { type Host, Network } from './netns.ts'
import { SkewedClock } from './skewed-clock.ts'

export const CLIENT = '10.9.0.1'
const MEMBERS = ['10.9.0.11', '10.9.0.12', '10.9.0.13']
export interface ClusterNode extends LabHost {
  readonly name: string
  readonly daemon: Daemon
  /** Of its programs. Absent: the real one. */
  readonly clock?: SkewedClock
}

export interface ClusterLabOptions {
  readonly nodes?: number
  readonly members?: 1 | 3
  /** Each node has a clock that can be set. */
  readonly clocks?: boolean
  /** The nodes share records, under a secret. */
  readonly secret?: boolean
  readonly settings?: Partial<DaemonSettings>
}

const FAULTS = `table bridge faults {
  set apart { type ifname . ifname; }
  chain loss { }
  chain forward { type filter hook forward priority 0; iifname . oifname @apart drop; jump loss; }
}
`

/** The rules for one cable of the switch, in place of those before. */
function doubledAt(port: string, percent: number): string {
  const chain = `chain ${port} { type filter hook egress device "${port}" priority 0; }`
  const rule =
    percent === 0 ? '' : `add rule netdev doubled ${port} numgen random mod 100 < ${percent} dup to "${port}"`
  return `table netdev doubled {\n${chain}\n}\nflush chain netdev doubled ${port}\n${rule}\n`
}

export class ClusterLab implements AsyncDisposable {
  readonly net: Network
  readonly members: readonly EtcdMember[]
  readonly client: LabHost
  readonly nodes: readonly ClusterNode[]
  /** Of all nodes. */
  readonly secretFile: string
  readonly #switch: Host

  static async create(options: ClusterLabOptions = {}): Promise<ClusterLab> {
    const net = await Network.create()
    try {
      const secret = join(net.directory(), 'cluster.secret')
      if (options.secret) writeFileSync(secret, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
      const hub = await net.host('switch')
      hub.must(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
      hub.must(['ip', 'link', 'set', 'br0', 'up'])
      hub.must(['nft', '-f', '-'], { input: FAULTS })
      const plug = async (name: string, address: string): Promise<LabHost> => {
        const host = await net.host(name)
        const [, port] = await net.link(host, [`${address}/24`], hub, [])
        hub.must(['ip', 'link', 'set', port, 'master', 'br0'])
        hub.must(['nft', '-f', '-'], { input: doubledAt(port, 0) })
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
        const clock = options.clocks ? new SkewedClock(net.directory()) : undefined
        const daemon = await Daemon.start(net, plugged.host, {
          ...(clock !== undefined && { inside: clock.inside }),
          access: options.settings?.access ?? stanza(['FW_ACCESS_TIMEOUT 5'], keys),
          ...(options.settings?.argv !== undefined && { argv: options.settings.argv }),
          ...(options.settings?.program !== undefined && { program: options.settings.program }),
          server: [
            `CLUSTER etcd://${addresses.map((address) => `${address}:2379`).join(',')}/front`,
            `CLUSTER_NODE ${name}`,
            ...(options.secret ? [`CLUSTER_SECRET_FILE ${secret}`] : []),
            ...(options.settings?.server ?? []),
          ],
        })
        nodes.push({ ...plugged, name, daemon, ...(clock !== undefined && { clock }) })
      }
      return new ClusterLab(net, hub, client, members, nodes, secret)
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
    secretFile: string,
  ) {
    this.net = net
    this.#switch = hub
    this.client = client
    this.members = members
    this.nodes = nodes
    this.secretFile = secretFile
  }

  /** Nothing passes between these two groups, in either direction. */
  apart(some: readonly LabHost[], others: readonly LabHost[]): void {
    this.cut(some.flatMap((one) => others.flatMap((other) => [[one, other] as const, [other, one] as const])))
  }

  /** Nothing passes from the first to the second of each pair. */
  cut(pairs: readonly (readonly [from: LabHost, to: LabHost])[]): void {
    if (pairs.length === 0) return
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

  /** So many frames of a hundred reach their host twice. */
  double(percent: number): void {
    const hosts = [this.client, ...this.members, ...this.nodes]
    this.#switch.must(['nft', '-f', '-'], { input: hosts.map(({ port }) => doubledAt(port, percent)).join('') })
  }

  /** Everything passes again, once. */
  heal(): void {
    this.#switch.must(['nft', 'flush', 'set', 'bridge', 'faults', 'apart'])
    this.#switch.must(['nft', 'flush', 'chain', 'bridge', 'faults', 'loss'])
    this.double(0)
  }

  /** Makes a member new that has ended, while the others run: as an administrator would, after the loss of its disk. */
  async replaceMember(member: EtcdMember): Promise<void> {
    const other = this.members.find((one) => one !== member)
    assert.ok(other)
    const id = new RegExp(`^([0-9a-f]+), .*, ${member.name}, `, 'm').exec(other.etcdctl('member', 'list').stdout)?.[1]
    assert.ok(id)
    assert.equal(other.etcdctl('member', 'remove', id).status, 0)
    member.dropData()
    const peer = `--peer-urls=http://${member.address}:2380`
    assert.equal(other.etcdctl('member', 'add', member.name, peer).status, 0)
    member.start('existing')
    await member.ready()
  }

  /** Waits until each node says that the cluster is usable. */
  async usable(nodes: readonly ClusterNode[] = this.nodes): Promise<void> {
    for (const { daemon, name } of nodes) {
      const deadline = performance.now() + 60_000
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
