/**
 * One knock, many gates: what one node grants, others open by their own policy, and close by their own kernel. Real
 * etcd, real daemons, real kernels; gates that are away or cut off; and an etcd that shows old records again.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, ClusterLab, type ClusterNode } from '../support/cluster-lab.ts'
import { askConsoleSocket } from '../support/console.ts'
import { ghostportCommand, keys, knock, stanza } from '../support/daemon.ts'
import { netnsUnavailable } from '../support/netns.ts'

interface FanOut {
  readonly opened: readonly { readonly node: string }[]
  readonly refused: readonly { readonly node: string; readonly code: string }[]
  readonly closed: readonly string[]
  readonly waiting: readonly { readonly node: string }[]
}

const ACCESS = stanza(['NAME alice', 'OPEN_PORTS tcp/22', 'GATES node-*', 'FROM_CLUSTER Y'], keys)
const PREFIX = 'ghostport/front/records/'

describe('one knock, many gates', { skip: netnsUnavailable() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-gates-'))
  const secret = join(folder, 'cluster.secret')
  const server = ['CLUSTER_TIMEOUT 1500', `CLUSTER_SECRET_FILE ${secret}`]
  let lab: ClusterLab
  before(async () => {
    writeFileSync(secret, `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 })
    lab = await ClusterLab.create({ ...{ nodes: 3, members: 1 }, settings: { access: ACCESS, server } })
    await following()
  })
  afterEach(async () => {
    lab.heal()
    await following()
    revoke(node(1))
    for (const one of lab.nodes) await reaches(one, 'timeout')
  })
  after(async () => {
    await lab?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const node = (number: 1 | 2 | 3): ClusterNode => lab.nodes[number - 1] as ClusterNode

  async function eventually(what: () => boolean | Promise<boolean>, tell: () => string): Promise<void> {
    const deadline = performance.now() + 60_000
    while (!(await what())) {
      assert.ok(performance.now() < deadline, tell())
      await delay(50)
    }
  }
  const recordsOf = ({ daemon }: ClusterNode) =>
    (
      daemon.status() as {
        readonly cluster?: { readonly records?: { readonly following: boolean; readonly unreadable: number } }
      }
    ).cluster?.records
  async function following(): Promise<void> {
    await lab.usable()
    for (const one of lab.nodes)
      await eventually(
        () => recordsOf(one)?.following === true,
        () => JSON.stringify(one.daemon.status()),
      )
  }
  /** Connects until it is so. */
  async function reaches({ address, name }: ClusterNode, wanted: 'open' | 'timeout'): Promise<void> {
    const expected = wanted === 'open' ? `ssh at ${name}` : 'timeout'
    let got: string | undefined
    await eventually(
      async () => {
        got = await lab.client.host.tcp(address, 22)
        return got === expected
      },
      () => `${name}: ${got}`,
    )
  }
  function knockAt(at: ClusterNode, lifetime = 200): void {
    knock(lab.client.host, at.address, '-a', CLIENT, '-A', 'tcp/22', '--fw-timeout', `${lifetime}`)
  }
  function revoke({ host, daemon }: ClusterNode) {
    const socket = daemon.path('state/control.sock')
    const { stdout } = host.run(ghostportCommand('revoke', 'alice', '--json', '--socket', socket))
    return JSON.parse(stdout) as {
      readonly problem?: string
      readonly gates?: { readonly closed: readonly string[]; readonly unreached: readonly string[] }
    }
  }
  const fanOut = ({ daemon }: ClusterNode): FanOut =>
    (daemon.status() as { readonly gates?: readonly FanOut[] }).gates?.at(-1) ??
    ({ opened: [], refused: [], closed: [], waiting: [] } as FanOut)
  const openedAt = (at: ClusterNode) =>
    fanOut(at)
      .opened.map((one) => one.node)
      .sort()
      .join()
  /** Raw, as etcd has it. */
  function stored(kind: string): readonly { readonly key: string; readonly value: Buffer }[] {
    const { stdout } = lab.members[0]?.etcdctl('get', '--prefix', `${PREFIX}${kind}/`, '-w', 'json') ?? { stdout: '{}' }
    const { kvs = [] } = JSON.parse(stdout) as {
      readonly kvs?: readonly { readonly key: string; readonly value: string }[]
    }
    return kvs.map(({ key, value }) => ({ key: `${Buffer.from(key, 'base64')}`, value: Buffer.from(value, 'base64') }))
  }
  function store(key: string, value: Buffer): void {
    const file = join(folder, 'value')
    writeFileSync(file, value)
    const put = 'ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2379 put -- "$0" < "$1"'
    lab.members[0]?.host.must(['sh', '-c', put, key, file])
  }

  it('opens at all of them, and each closes by itself', async () => {
    knockAt(node(1), 25)
    for (const one of lab.nodes) await reaches(one, 'open')
    await eventually(
      () => openedAt(node(1)) === 'node-2,node-3',
      () => JSON.stringify(node(1).daemon.status()),
    )
    assert.deepEqual(fanOut(node(1)).waiting, [])
    // The kernel closes it: nobody else is there.
    await node(3).daemon.stop('SIGKILL')
    for (const one of lab.nodes) await reaches(one, 'timeout')
    await node(3).daemon.again()
  })

  it('opens at “ghostport gate”, which has no receiver and captures nothing', async () => {
    const { daemon, host, address } = node(2)
    await daemon.stop()
    const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
    const gate = host.start(ghostportCommand('gate', ...files))
    await gate.says(/"event":"ready"/)
    assert.match(gate.output, /"event":"ready".*"capture":"","ports":\[\]/)
    await eventually(
      () => recordsOf(node(2))?.following === true,
      () => gate.output,
    )
    const { gate: isGate, capturing, receiver } = daemon.status()
    assert.deepEqual([isGate, capturing, receiver], [true, false, null])
    knockAt(node(1))
    await reaches(node(2), 'open')
    revoke(node(3))
    await reaches(node(2), 'timeout')
    // It is no server of knocks.
    const before = gate.output.length
    knock(lab.client.host, address, '-a', CLIENT, '-A', 'tcp/22')
    process.kill(gate.pid, 'SIGHUP')
    await gate.says(/"event":"reload"/)
    assert.doesNotMatch(gate.output.slice(before), /"verdict"|"error"/)
    await reaches(node(2), 'timeout')
    await gate.stop()
    await daemon.again()
  })

  it('opens at a gate by its own policy only', async () => {
    const { daemon } = node(3)
    const before = { access: ACCESS, server: serverLines(3) }
    daemon.configure({ ...before, access: ACCESS.replace('tcp/22', 'tcp/80') })
    await daemon.restart()
    await following()
    knockAt(node(1))
    await reaches(node(2), 'open')
    await eventually(
      () => fanOut(node(1)).refused.some((one) => one.node === 'node-3' && one.code === 'ACCESS_PORT_DENIED'),
      () => JSON.stringify(fanOut(node(1))),
    )
    await reaches(node(3), 'timeout')
    daemon.configure({ ...before, access: ACCESS.replace('FROM_CLUSTER Y', 'FROM_CLUSTER N') })
    await daemon.restart()
    await following()
    await reaches(node(3), 'timeout')
    daemon.configure(before)
    await daemon.restart()
  })

  it('a revocation at any of them closes all, and says where', async () => {
    knockAt(node(1))
    for (const one of lab.nodes) await reaches(one, 'open')
    const { gates, problem } = revoke(node(2))
    assert.equal(problem, undefined)
    assert.deepEqual(gates?.unreached, [])
    assert.deepEqual(gates?.closed, ['node-1', 'node-3'])
    for (const one of lab.nodes) await reaches(one, 'timeout')
    // With the same lines as here: who did it, and what ended.
    const { host, daemon } = node(3)
    const lines = () => {
      const { stdout } = host.run(ghostportCommand('audit', 'show', '--json', '-c', daemon.path('fwknopd.conf')))
      const all = stdout.split('\n').filter(Boolean)
      return all.map((text) => JSON.parse(text) as { readonly did: string; readonly by: { readonly name?: string } })
    }
    await eventually(
      () => lines().some(({ did, by }) => did === 'revoke' && by.name === 'cluster: node-2'),
      () => JSON.stringify(lines()),
    )
    const { stdout } = host.run(ghostportCommand('status', '--socket', daemon.path('state/control.sock')))
    assert.match(stdout, /grants of other nodes: [1-9][0-9]* opened here, 0 refused, [1-9][0-9]* ended early/)
    assert.match(stdout, new RegExp(`${CLIENT} by node node-1 {2}stanza alice .*granted tcp/22`))
  })

  it('a gate that was away takes what is still live; what was revoked meanwhile stays shut', async () => {
    await node(3).daemon.stop()
    knockAt(node(1))
    await reaches(node(2), 'open')
    await reaches(node(3), 'timeout')
    await node(3).daemon.again()
    await reaches(node(3), 'open')
    await node(3).daemon.stop('SIGKILL')
    revoke(node(1))
    await node(3).daemon.again()
    await reaches(node(3), 'timeout')
  })

  it('shows a gate that is cut off, and closes it when it is back', async () => {
    knockAt(node(1))
    for (const one of lab.nodes) await reaches(one, 'open')
    lab.apart([node(3)], lab.members)
    const { gates, problem } = revoke(node(1))
    assert.deepEqual(gates?.unreached, ['node-3'])
    assert.match(`${problem}`, /node-3/)
    await reaches(node(2), 'timeout')
    await reaches(node(3), 'open')
    lab.heal()
    await reaches(node(3), 'timeout')
  })

  it('shows the node of the knock that is cut off, where a gate revokes', async () => {
    knockAt(node(1))
    for (const one of lab.nodes) await reaches(one, 'open')
    lab.apart([node(1)], lab.members)
    const { gates, problem } = revoke(node(2))
    assert.deepEqual([gates?.closed, gates?.unreached], [['node-3'], ['node-1']])
    assert.match(`${problem}`, /not confirmed as closed at node-1/)
    await reaches(node(1), 'open')
    lab.heal()
    await reaches(node(1), 'timeout')
  })

  it('what the console extended is ended from elsewhere too, also after a restart and after its first end', async () => {
    const { daemon, host } = node(1)
    const socket = join(folder, 'console/socket')
    const before = { access: ACCESS, server: serverLines(1) }
    daemon.configure({ ...before, server: [...before.server, 'CONSOLE_USER nobody', `CONSOLE_SOCKET ${socket}`] })
    await daemon.restart()
    await following()
    for (const path of [folder, join(folder, 'console')]) chmodSync(path, 0o711)
    knockAt(node(1), 6)
    for (const one of lab.nodes) await reaches(one, 'open')
    const [{ id: grant } = {}] = daemon.status().grants as readonly { readonly id?: string }[]
    const by = { name: 'ada', from: '192.0.2.7' }
    const [answer] = askConsoleSocket(host, socket, [{ ask: 'extend', grant, seconds: 250, by }])
    assert.deepEqual(answer, { done: true, value: { grant, seconds: 250 } })
    // Its first end, which the others have.
    await reaches(node(2), 'timeout')
    assert.equal(await lab.client.host.tcp(node(1).address, 22), 'ssh at node-1')
    daemon.configure(before)
    await daemon.restart('SIGKILL')
    await following()
    assert.equal(await lab.client.host.tcp(node(1).address, 22), 'ssh at node-1')
    // The others do not know that it is still open, and so wait for no answer.
    assert.equal(revoke(node(2)).problem, undefined)
    await reaches(node(1), 'timeout')
  })

  it('an etcd that shows old records again, or moves them, opens nothing', async () => {
    const earlier = new Set(stored('grant').map(({ key }) => key))
    knockAt(node(1))
    for (const one of lab.nodes) await reaches(one, 'open')
    const grant = stored('grant').find(({ key }) => !earlier.has(key))
    assert.ok(grant)
    revoke(node(1))
    for (const one of lab.nodes) await reaches(one, 'timeout')
    for (const { key } of stored('revocation')) lab.members[0]?.etcdctl('del', key)
    const before = recordsOf(node(2))?.unreadable ?? 0
    const changed = Buffer.from(grant.value)
    changed[30] = (changed[30] ?? 0) ^ 1
    store(grant.key, grant.value)
    store(`${grant.key.slice(0, -4)}AAAA`, grant.value)
    store(`${PREFIX}grant/changed`, changed)
    store(`${PREFIX}grant/short`, grant.value.subarray(0, 40))
    store(`${PREFIX}grant/long`, Buffer.alloc(60_000))
    store(`${PREFIX}grant/not a name`, grant.value)
    await node(3).daemon.restart('SIGKILL')
    await following()
    await eventually(
      () => (recordsOf(node(2))?.unreadable ?? 0) >= before + 3,
      () => JSON.stringify(recordsOf(node(2))),
    )
    assert.equal(await lab.client.host.tcp(node(2).address, 22), 'timeout')
    assert.equal(await lab.client.host.tcp(node(3).address, 22), 'timeout')
    lab.members[0]?.etcdctl('del', '--prefix', PREFIX)
  })

  function serverLines(number: 1 | 2 | 3): readonly string[] {
    return ['CLUSTER etcd://10.9.0.11:2379/front', `CLUSTER_NODE node-${number}`, ...server]
  }
})
