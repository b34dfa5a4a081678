/**
 * Servers with one identity: a packet is accepted once in the whole cluster. Real etcd, real daemons, real kernels; cut
 * cables, killed members, a restored backup; and an etcd, and a cluster process, that lie.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLUSTER_TITLE } from '../../src/system/own-process.ts'
import { CLIENT, ClusterLab, type ClusterNode } from '../support/cluster-lab.ts'
import { ghostportCommand, keys, type LogEvent, sendPacket, stanza, wardenPriority } from '../support/daemon.ts'
import { netnsUnavailable } from '../support/netns.ts'
import { childOf } from '../support/processes.ts'

const OWNERS = { key: 'the key of the owners', hmac: 'and their other key' }
const ACCESS = `${stanza(['FW_ACCESS_TIMEOUT 5'], keys)}\n${stanza(['FW_ACCESS_TIMEOUT 5', 'CLUSTER_REQUIRED N'], OWNERS)}`

describe('a cluster', { skip: netnsUnavailable() }, () => {
  let lab: ClusterLab
  before(async () => {
    lab = await ClusterLab.create({
      ...{ nodes: 2, members: 3 },
      settings: { access: ACCESS, server: ['CLUSTER_TIMEOUT 1500', 'MAX_SPA_PACKET_AGE 60'] },
    })
    await lab.usable()
  })
  afterEach(async () => {
    lab.heal()
    await lab.usable()
  })
  after(async () => await lab?.[Symbol.asyncDispose]())

  /** The text of a packet that was not sent. */
  function packet({ key, hmac } = keys as { readonly key: string; readonly hmac: string }): string {
    const secrets = ['--key-rijndael', key, '--key-hmac', hmac]
    const words = ['--no-rc-file', '-D', '10.9.0.21', '-a', CLIENT, '-A', 'tcp/22', '--test', '--verbose']
    const made = lab.client.host.must(ghostportCommand('knock', ...words, ...secrets))
    const text = /[A-Za-z0-9+/]{140,}/.exec(made)?.[0]
    assert.ok(text, made)
    return text
  }

  async function sentTo(nodes: readonly ClusterNode[], text: string): Promise<readonly LogEvent[]> {
    const from = nodes.map(({ daemon }) => daemon.events.length)
    for (const { address } of nodes) sendPacket(lab.client.host, address, text)
    return await Promise.all(
      nodes.map(({ daemon }, i) => daemon.until(({ verdict }) => verdict !== undefined, from[i])),
    )
  }
  const node = (i: number): ClusterNode => lab.nodes[i] as ClusterNode
  const codeOf = ([event]: readonly LogEvent[]): unknown => (event?.verdict === 'granted' ? 'granted' : event?.code)

  it('accepts a packet at one node only, and opens the door there', async () => {
    for (let i = 0; i < 3; i++) {
      const verdicts = await sentTo(lab.nodes, packet())
      assert.deepEqual(verdicts.map((it) => codeOf([it])).sort(), ['SPA_REPLAYED', 'granted'], JSON.stringify(verdicts))
      const refused = verdicts.findIndex(({ verdict }) => verdict !== 'granted')
      const granting = node(1 - refused)
      assert.match(String(verdicts[refused]?.['detail']), new RegExp(`^used at ${granting.name}, another node`))
      assert.equal(await lab.client.host.tcp(granting.address, 22), `ssh at ${granting.name}`)
    }
  })

  it('its process comes before other work of the machine, as the warden does', () => {
    const priority = wardenPriority()
    const pid = childOf(node(0).daemon.pid, CLUSTER_TITLE)
    assert.deepEqual([getPriority(pid), getPriority(node(0).daemon.pid)], [priority, priority])
  })

  it('goes on without one member', async () => {
    const [member] = lab.members
    lab.apart([member as never], lab.nodes)
    const text = packet()
    assert.equal(codeOf(await sentTo([node(0)], text)), 'granted')
    assert.equal(codeOf(await sentTo([node(1)], text)), 'SPA_REPLAYED')
  })

  it('refuses at a node that is cut off, and the packet counts as used there; a stanza may grant all the same', async () => {
    lab.apart([node(0)], lab.members)
    const [text, owners] = [packet(), packet(OWNERS)]
    const [refused] = await sentTo([node(0)], text)
    assert.equal(refused?.code, 'CLUSTER_UNREACHABLE', JSON.stringify(refused))
    assert.equal(codeOf(await sentTo([node(0)], owners)), 'granted')
    await node(0).daemon.until(({ event }) => event === 'cluster unusable')
    const { cluster } = node(0).daemon.status() as { readonly cluster?: Record<string, unknown> }
    assert.equal(cluster?.['usable'], false)
    lab.heal()
    await lab.usable()
    assert.equal(codeOf(await sentTo([node(0)], text)), 'SPA_REPLAYED')
    assert.equal(codeOf(await sentTo([node(0)], packet())), 'granted')
  })

  it('has no door open for anybody without a quorum, and accepts knocks within 3 s of a new leader', async () => {
    const [one, two] = lab.members
    await one?.kill()
    await two?.kill()
    assert.equal(codeOf(await sentTo([node(1)], packet())), 'CLUSTER_UNREACHABLE')
    one?.start()
    two?.start()
    // The state that a node shows may be five seconds old.
    await one?.ready()
    await two?.ready()
    await lab.usable()
    assert.equal(codeOf(await sentTo([node(1)], packet())), 'granted')
    const leader = lab.members.find((member) => {
      const said = member.etcdctl('endpoint', 'status', '-w', 'json').stdout
      const [{ Status }] = JSON.parse(said) as [{ Status: { header: { member_id: number }; leader: number } }]
      return Status.header.member_id === Status.leader
    })
    assert.ok(leader)
    const at = performance.now()
    await leader.kill()
    for (;;) {
      if (codeOf(await sentTo([node(1)], packet())) === 'granted') break
      assert.ok(performance.now() - at < 10_000)
    }
    leader.start()
    await leader.ready()
  })

  it('notices a restored backup: no packet counts as new until all are too old', async () => {
    for (const { daemon } of lab.nodes) await daemon.stop()
    const text = packet()
    await node(0).daemon.again()
    await lab.usable([node(0)])
    assert.equal(codeOf(await sentTo([node(0)], text)), 'granted')
    // Written at the stop.
    await node(0).daemon.stop()
    for (const member of lab.members) await member.kill()
    for (const { folder } of lab.members) rmSync(join(folder, 'data'), { recursive: true })
    for (const member of lab.members) member.start()
    for (const member of lab.members) await member.ready()
    await node(0).daemon.again()
    await node(0).daemon.until(({ event, detail }) => event === 'cluster unusable' && /has forgotten/.test(`${detail}`))
    await node(1).daemon.again()
    // This one knows nothing of before.
    await node(1).daemon.until(({ event, detail }) => event === 'cluster unusable' && /has forgotten/.test(`${detail}`))
    const [refused] = await sentTo([node(1)], text)
    assert.match(`${refused?.code} ${refused?.['detail']}`, /^CLUSTER_UNREACHABLE .*etcd has forgotten packets/)
    // For all of that time, not only at the first look.
    await delay(2500)
    for (const { daemon } of lab.nodes) {
      const status = daemon.status()['cluster'] as { readonly usable: boolean; readonly why?: string }
      assert.match(JSON.stringify(status), /"usable":false.*etcd has forgotten packets/)
    }
    // 60 s twice, and 600 s for clocks that differ: an administrator may open it, as docs/CLUSTER.md says.
    assert.equal(lab.members[0]?.etcdctl('del', 'ghostport/front/closed-until').status, 0)
    for (const { daemon } of lab.nodes) await daemon.restart()
  })
})
