/**
 * Nodes that share their users: a change at one counts at all, and none goes back. Real etcd, real daemons, real
 * kernels; cut cables, a restored backup, records that somebody changed.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterUsersStatus } from '../../src/daemon/warden/cluster-users/cluster-users.ts'
import { askControl } from '../../src/daemon/warden/control.ts'
import type { Status } from '../../src/daemon/warden/status.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import { CLIENT, ClusterLab, type ClusterNode } from '../support/cluster-lab.ts'
import { ghostportCommand, type LogEvent, sendPacket, stanza, type TestKeys } from '../support/daemon.ts'
import { netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'
import { sealedPacket } from '../support/sealed.ts'

const OWNER = { key: 'the key of the owner', hmac: 'and the other key of the owner' }
const OWN = stanza(
  ['NAME owner', 'OPEN_PORTS tcp/22', 'CLUSTER_REQUIRED N', 'FW_ACCESS_TIMEOUT 60', 'MAX_FW_TIMEOUT 60'],
  OWNER,
)
const SETTINGS = ['CLUSTER_TIMEOUT 1500', 'CLUSTER_USERS Y']
/** For a host that is five times slower. */
const PATIENCE = 30_000

describe('users of a cluster', { skip: netnsUnavailable() }, () => {
  let lab: ClusterLab
  before(async () => {
    lab = await ClusterLab.create({ nodes: 2, secret: true, settings: { access: OWN, server: SETTINGS } })
    await inSync()
  })
  afterEach(async () => {
    lab.heal()
  })
  after(async () => await lab?.[Symbol.asyncDispose]())

  const node = (i: number): ClusterNode => lab.nodes[i] as ClusterNode
  async function statusOf({ daemon }: ClusterNode): Promise<Status> {
    const status = await askControl(daemon.path('state/control.sock'), 'status')
    assert.ok(status.ok, JSON.stringify(status))
    return status.value as Status
  }
  const usersOf = async (at: ClusterNode): Promise<ClusterUsersStatus> =>
    (await statusOf(at)).clusterUsers ?? assert.fail('no users of the cluster')

  async function waitFor(what: string, is: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE
    while (!(await is())) {
      assert.ok(
        performance.now() < deadline,
        `${what}\n${lab.nodes.map(({ daemon }) => daemon.program.output).join('\n')}`,
      )
      await delay(50)
    }
  }
  async function inSync(): Promise<void> {
    await waitFor('all nodes have the newest users', async () => {
      const all = await Promise.all(lab.nodes.map(statusOf))
      const version = Math.max(...all.map(({ clusterUsers }) => clusterUsers?.version ?? -1))
      return all.every(({ clusterUsers, cluster }) => {
        return cluster?.usable && clusterUsers?.inSync && clusterUsers.version === version
      })
    })
  }

  function ghostport(at: ClusterNode, ...words: readonly string[]) {
    const files = ['-c', at.daemon.path('fwknopd.conf'), '-a', at.daemon.path('access.conf')]
    return at.host.run(ghostportCommand(...words, ...files))
  }
  function user(at: ClusterNode, ...words: readonly string[]) {
    return ghostport(at, 'user', ...words)
  }
  function did(at: ClusterNode, ...words: readonly string[]): string {
    const { status, stdout, stderr } = user(at, ...words)
    assert.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}\n${at.daemon.program.output}`)
    return stdout
  }
  function refused(at: ClusterNode, ...words: readonly string[]): string {
    const { status, stderr } = user(at, ...words)
    assert.notEqual(status, 0, words.join(' '))
    return stderr
  }
  function add(at: ClusterNode, name: string, ...words: readonly string[]): TestKeys {
    const said = did(at, 'add', name, '--show-secrets', '--json', '--server', '10.9.0.21', ...words)
    const { profile } = JSON.parse(said) as { profile: string }
    const [key, hmac] = ['key', 'hmac'].map((part) => {
      const [, text = assert.fail(said)] = new RegExp(`[?&]${part}=([^&]+)`).exec(profile) ?? []
      return Buffer.from(text, 'base64url').toString('base64')
    })
    return { key: key ?? '', hmac: hmac ?? '' }
  }
  function packet({ key, hmac = '' }: TestKeys, isBase64 = true): string {
    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, isBase64 ? 'base64' : 'utf8'))
    return sealedPacket(
      0,
      { source: CLIENT },
      {
        encryption: { key: must(EncryptionKey.fromBytes(bytes(key))), mode: 'CBC' },
        hmac: { key: must(HmacKey.fromBytes(bytes(hmac))), type: 'sha256' },
      },
    )
  }
  async function knock(at: ClusterNode, keys: TestKeys, isBase64 = true): Promise<LogEvent> {
    const text = packet(keys, isBase64)
    return await at.daemon.verdictAfter(() => sendPacket(lab.client.host, at.address, text))
  }
  const codeOf = ({ verdict, code }: LogEvent): unknown => (verdict === 'granted' ? 'granted' : code)
  const audit = ({ daemon }: ClusterNode): string => readFileSync(daemon.path('state/audit.log'), 'utf8')
  const copyOf = ({ daemon }: ClusterNode): string =>
    readFileSync(daemon.path('state/replay.db-cluster-users.conf'), 'utf8')
  const member = () => lab.members[0] ?? assert.fail()

  it('who is added at one node opens doors at the other, and who is disabled there is out everywhere', async () => {
    const ada = add(node(0), 'ada', '--open', 'tcp/22', '--time', '60')
    await inSync()
    assert.equal(codeOf(await knock(node(1), ada)), 'granted')
    assert.equal(await lab.client.host.tcp(node(1).address, 22), 'ssh at node-2')
    assert.match(audit(node(1)), /"via":"server","name":"cluster: node-1"/)
    assert.ok(!audit(node(0)).includes(ada.key) && !audit(node(1)).includes(ada.key))
    const { version } = await usersOf(node(0))
    const check = ['cluster', 'check', '--only', 'USERS', '--all', '-c', node(0).daemon.path('fwknopd.conf')]
    const { status, stdout } = node(0).host.run(ghostportCommand(...check))
    assert.deepEqual([status, stdout.includes(`version ${version}, as etcd has it`)], [0, true], stdout)
    // etcd has none of it.
    assert.ok(!member().etcdctl('get', '--prefix', '', '-w', 'json').stdout.includes('ada'))
    assert.equal(codeOf(await knock(node(0), ada)), 'granted')
    did(node(1), 'disable', 'ada')
    await inSync()
    await waitFor('the grants of ada end at each node', async () => {
      const all = await Promise.all(lab.nodes.map(statusOf))
      return all.every(({ grants }) => grants?.every(({ name }) => name !== 'ada'))
    })
    assert.equal(codeOf(await knock(node(0), ada)), 'ACCESS_EXPIRED')
    did(node(0), 'enable', 'ada')
    await inSync()
    assert.equal(codeOf(await knock(node(1), ada)), 'granted')
    did(node(0), 'remove', 'ada')
    await inSync()
    assert.notEqual(codeOf(await knock(node(1), ada)), 'granted')
  })

  it('local users stay of their node, and go before those of the cluster', async () => {
    add(node(0), 'bob', '--open', 'tcp/22')
    await inSync()
    const own = add(node(1), 'Bob', '--local', '--open', 'tcp/22')
    assert.equal(codeOf(await knock(node(1), own)), 'granted')
    assert.notEqual(codeOf(await knock(node(0), own)), 'granted')
    assert.equal((await usersOf(node(1))).leftOut, 1)
    const { users } = JSON.parse(did(node(1), 'list', '--json')) as {
      users: { name: string; from: string; state: string }[]
    }
    assert.deepEqual(
      users.map(({ name, from, state }) => `${name} ${from} ${state}`),
      ['owner local active', 'Bob local active', 'bob cluster left out'],
    )
    assert.match(ghostport(node(1), 'check').stderr, /bob of the cluster is left out at this node/)
    did(node(1), 'remove', 'Bob', '--local')
    assert.equal((await usersOf(node(1))).leftOut, 0)
    // One user of access.conf becomes one of the cluster.
    const carol = add(node(1), 'carol', '--local', '--open', 'tcp/22')
    assert.match(refused(node(0), 'publish', 'carol'), /carol/)
    did(node(1), 'publish', 'carol')
    assert.ok(!readFileSync(node(1).daemon.path('access.conf'), 'utf8').includes('carol'))
    await inSync()
    assert.equal(codeOf(await knock(node(0), carol)), 'granted')
    assert.match(refused(node(0), 'add', 'fleet', '--nodes', 'a', '--open', 'tcp/22'), /./)
  })

  it('who is in access.conf of each node becomes one user of the cluster: published at one node, then at the others', async () => {
    const [gina, hugo] = ['gina', 'hugo'].map((name) => ({ name, key: `key of ${name}`, hmac: `other key of ${name}` }))
    assert.ok(gina !== undefined && hugo !== undefined)
    const own = [gina, hugo].map(({ name, ...keys }) => stanza([`NAME ${name}`, 'OPEN_PORTS tcp/22'], keys)).join('\n')
    const access = `${OWN}\n${own}`
    const write = (at: ClusterNode): void => writeFileSync(at.daemon.path('access.conf'), access, { mode: 0o600 })
    const textOf = (at: ClusterNode): string => readFileSync(at.daemon.path('access.conf'), 'utf8')
    const [first, second] = [node(0), node(1)]
    for (const at of lab.nodes) {
      write(at)
      const from = at.daemon.events.length
      at.daemon.reload()
      await at.daemon.until(({ event }) => event === 'reload', from)
    }
    assert.match(refused(first, 'publish', '--all', '--except', 'ownr'), /ownr.*owner.*USER_UNKNOWN/)
    assert.match(refused(first, 'publish', 'gina', '--except', 'owner'), /--except has no effect without --all/)
    assert.equal(textOf(first), access)
    const said = user(first, 'publish', '--all', '--except', 'owner')
    assert.equal(said.status, 0, said.stderr)
    assert.match(said.stderr, /now of the cluster, and not in access\.conf any more: gina, hugo\n.*say the same there/)
    assert.doesNotMatch(said.stderr, /warning/)
    assert.equal(textOf(first).trim(), OWN.trim())
    await inSync()
    // The others still have their own, and these count there: a change of the cluster does not reach them.
    did(first, 'disable', 'gina')
    await inSync()
    assert.equal(codeOf(await knock(first, gina, false)), 'ACCESS_EXPIRED')
    assert.equal(codeOf(await knock(second, gina, false)), 'granted')
    // Nothing is taken away on the word of a copy that may be old.
    lab.apart([second], lab.members)
    await waitFor('node-2 is cut off', async () => !(await usersOf(second)).inSync)
    assert.match(refused(second, 'publish', '--all', '--except', 'owner'), /CLUSTER_USERS_REFUSED/)
    assert.equal(textOf(second), access)
    lab.heal()
    await inSync()
    const { version } = await usersOf(first)
    const there = user(second, 'publish', '--all', '--except', 'owner')
    assert.equal(there.status, 0, there.stderr)
    assert.match(there.stderr, /of the cluster already, and not in access\.conf any more: gina, hugo\n/)
    assert.match(there.stderr, /disabled in the cluster, and so at this node too: gina\n/)
    assert.doesNotMatch(there.stderr, /now of the cluster|warning/)
    assert.equal(textOf(second).trim(), OWN.trim())
    assert.equal((await usersOf(second)).version, version)
    assert.equal(codeOf(await knock(second, gina, false)), 'ACCESS_EXPIRED')
    assert.equal(codeOf(await knock(second, hugo, false)), 'granted')
    did(first, 'disable', 'hugo')
    await inSync()
    assert.equal(codeOf(await knock(second, hugo, false)), 'ACCESS_EXPIRED')
    // A publish that was killed before it wrote access.conf is said again.
    did(first, 'enable', 'hugo')
    write(first)
    const again = JSON.parse(did(first, 'publish', 'hugo', '--json')) as Record<string, unknown>
    assert.deepEqual(
      [again['published'], again['alreadyThere'], again['disabledThere'], again['ownLeft']],
      [['hugo'], ['hugo'], [], 2],
    )
    assert.ok(!textOf(first).includes('hugo') && textOf(first).includes('gina'))
    // Another user of this name stays, also where all are published.
    writeFileSync(second.daemon.path('access.conf'), access.replace('key of hugo', 'another key'), { mode: 0o600 })
    assert.match(refused(second, 'publish', '--all'), /other keys or settings: hugo — perhaps: .*--local.*USER_EXISTS/)
    assert.match(textOf(second), /hugo/)
    // Who changes a user of both is told so.
    assert.match(user(second, 'disable', 'hugo').stderr, /the cluster has a user hugo too.*at other nodes/)
    assert.match(user(second, 'remove', 'hugo').stderr, /the cluster has a user hugo too.*counts at this node now/)
    assert.equal(codeOf(await knock(second, hugo, false)), 'granted')
    did(second, 'publish', 'gina')
    for (const at of lab.nodes) writeFileSync(at.daemon.path('access.conf'), OWN, { mode: 0o600 })
    for (const name of ['gina', 'hugo']) did(first, 'remove', name)
    await inSync()
  })

  it('two changes at once at two nodes are both made, and of the same user one', async () => {
    const run = (at: ClusterNode, ...words: string[]) =>
      at.host.start(
        ghostportCommand('user', ...words, '-c', at.daemon.path('fwknopd.conf'), '-a', at.daemon.path('access.conf')),
      )
    const both = lab.nodes.map((at) =>
      run(at, 'add', `x-${at.name}`, '--open', 'tcp/22', '--json', '--profile-file', at.daemon.path('x')),
    )
    await Promise.all(both.map(async (program) => await program.end()))
    await inSync()
    for (const at of lab.nodes) for (const name of ['x-node-1', 'x-node-2']) assert.ok(copyOf(at).includes(name), name)
    assert.equal(copyOf(node(0)), copyOf(node(1)))
    const same = lab.nodes.map((at) =>
      run(at, 'add', 'same', '--open', 'tcp/22', '--json', '--profile-file', at.daemon.path('y')),
    )
    await Promise.all(same.map(async (program) => await program.end()))
    await inSync()
    assert.equal(copyOf(node(0)).split('NAME                same').length, 2)
    assert.equal(copyOf(node(0)), copyOf(node(1)))
  })

  it('a node that is cut off goes on with its copy, also after a restart, changes nothing, and catches up', async () => {
    const dora = add(node(0), 'dora', '--open', 'tcp/22')
    await inSync()
    const text = copyOf(node(1)).replace(/(NAME +dora\n)/, '$1CLUSTER_REQUIRED    N\n')
    assert.ok(text.includes('CLUSTER_REQUIRED'))
    lab.apart([node(1)], lab.members)
    await waitFor('node-2 is cut off', async () => !(await usersOf(node(1))).inSync)
    assert.match(refused(node(1), 'disable', 'dora'), /cannot be changed now/)
    await node(1).daemon.restart()
    const { version, stanzas, age } = await usersOf(node(1))
    assert.equal(version, (await usersOf(node(0))).version)
    assert.ok(stanzas > 0 && age !== null)
    // Known, but the cluster cannot say whether the packet is new.
    assert.equal(codeOf(await knock(node(1), dora)), 'CLUSTER_UNREACHABLE')
    did(node(0), 'disable', 'dora')
    lab.heal()
    await inSync()
    assert.equal(codeOf(await knock(node(1), dora)), 'ACCESS_EXPIRED')
  })

  for (const [what, ...commands] of [
    ['removed and added again', 'remove', 'add'],
    ['disabled and enabled', 'disable', 'enable'],
  ] as const)
    it(`who is ${what} while a node is away loses what he had open there, and keeps what he has since`, async () => {
      const before = add(node(0), 'finn', '--open', 'tcp/22', '--time', '200')
      await inSync()
      assert.equal(codeOf(await knock(node(1), before)), 'granted')
      await node(1).daemon.stop()
      let now = before
      for (const command of commands)
        if (command === 'add') now = add(node(0), 'finn', '--open', 'tcp/22', '--time', '200')
        else did(node(0), command, 'finn')
      assert.equal(codeOf(await knock(node(0), now)), 'granted')
      await node(1).daemon.again()
      await inSync()
      await waitFor('what he had open ends', async () => {
        const { grants } = await statusOf(node(1))
        return (grants ?? []).every(({ name }) => name !== 'finn')
      })
      assert.equal(await lab.client.host.tcp(node(1).address, 22), 'timeout')
      assert.equal(await lab.client.host.tcp(node(0).address, 22), 'ssh at node-1')
      assert.equal(codeOf(await knock(node(1), now)), 'granted')
      did(node(0), 'remove', 'finn')
      await inSync()
    })

  it('a copy that is too old grants nothing, and the node’s own users get in', async () => {
    const emil = add(node(0), 'emil', '--open', 'tcp/22')
    await inSync()
    await node(1).daemon.stop()
    lab.apart([node(1)], lab.members)
    writeFileSync(node(1).daemon.path('state/replay.db-cluster-users'), '{"syncedAt":1764000000}\n', { mode: 0o600 })
    await node(1).daemon.again()
    await node(1).daemon.until(({ code }) => code === 'CLUSTER_USERS_OUTDATED')
    assert.ok((await usersOf(node(1))).outdated)
    assert.equal(codeOf(await knock(node(1), emil)), 'CLUSTER_USERS_OUTDATED')
    assert.equal(codeOf(await knock(node(1), OWNER, false)), 'granted')
    lab.heal()
    await inSync()
    assert.ok(!(await usersOf(node(1))).outdated)
    assert.equal(codeOf(await knock(node(1), emil)), 'granted')
  })

  it('an older state of etcd is not taken, and an administrator decides which copy counts', async () => {
    add(node(0), 'first', '--open', 'tcp/22')
    await inSync()
    const backup = join(member().folder, 'backup')
    assert.equal(member().etcdctl('snapshot', 'save', backup).status, 0)
    const second = add(node(0), 'second', '--open', 'tcp/22')
    await inSync()
    const { version } = await usersOf(node(0))
    await member().kill()
    rmSync(join(member().folder, 'data'), { recursive: true })
    member().host.must(
      [
        'etcdctl',
        'snapshot',
        'restore',
        backup,
        '--data-dir',
        join(member().folder, 'data'),
        '--name',
        'm1',
        '--initial-cluster',
        'm1=http://10.9.0.11:2380',
        '--initial-cluster-token',
        'lab',
        '--initial-advertise-peer-urls',
        'http://10.9.0.11:2380',
      ],
      { env: { ETCDCTL_API: '3' } },
    )
    member().start()
    await member().ready()
    for (const at of lab.nodes) await at.daemon.until(({ code }) => code === 'CLUSTER_USERS_WENT_BACK')
    for (const at of lab.nodes) {
      assert.equal((await usersOf(at)).version, version)
      assert.match((await usersOf(at)).why ?? '', /etcd was put back/)
      assert.ok(copyOf(at).includes('second'))
    }
    // Also a node that was off meanwhile.
    await node(1).daemon.restart()
    await node(1).daemon.until(({ code }) => code === 'CLUSTER_USERS_WENT_BACK')
    assert.match(refused(node(0), 'disable', 'first'), /etcd was put back/)
    did(node(0), 'publish', '--copy')
    await inSync()
    // Newer also for a node that was away, at a version in between.
    assert.equal((await usersOf(node(1))).version, version + 65)
    assert.ok(copyOf(node(1)).includes('second'))
    did(node(1), 'disable', 'first')
    assert.equal(member().etcdctl('del', 'ghostport/front/closed-until').status, 0)
    await inSync()
    for (const { daemon } of lab.nodes) await daemon.restart()
    await inSync()
    assert.equal(codeOf(await knock(node(0), second)), 'granted')
  })

  it('a record that is changed, or put in the place of another, is not taken', async () => {
    add(node(0), 'good', '--open', 'tcp/22')
    await inSync()
    const { version } = await usersOf(node(0))
    const keys = member()
      .etcdctl('get', '--prefix', 'ghostport/front/records/users/', '--keys-only')
      .stdout.trim()
      .split(/\s+/)
    const roster = keys.find((key) => key.endsWith(`roster/${version}`)) ?? assert.fail(keys.join())
    const [page = assert.fail()] = keys.filter((key) => key.includes('/page/'))
    const before = copyOf(node(0))
    const move = (from: string, to: string): void => {
      const moved = ['sh', '-c', `etcdctl get "${from}" --print-value-only | head -c -1 | etcdctl put "${to}"`]
      member().host.must(moved, { env: { ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: 'http://127.0.0.1:2379' } })
    }
    move(roster, roster.replace(/\d+$/, `${version + 1}`))
    move(roster, page)
    await node(0).daemon.until(
      ({ event, detail }) => event === 'cluster records' && /cannot be opened/.test(`${detail}`),
    )
    for (const at of lab.nodes) {
      assert.equal((await usersOf(at)).version, version)
      assert.equal(copyOf(at), before)
    }
    // What is gone from etcd stays here.
    assert.equal(member().etcdctl('del', '--prefix', 'ghostport/front/records/users/').status, 0)
    await node(1).daemon.until(
      ({ code, detail }) => code === 'CLUSTER_USERS_WENT_BACK' && /no users any more/.test(`${detail}`),
    )
    assert.equal(copyOf(node(1)), before)
    did(node(0), 'publish', '--copy')
    await inSync()
    assert.equal((await usersOf(node(1))).version, version + 65)
  })

  it('go on while the nodes get another secret, one after the other; a change waits until the copy is published', async () => {
    const eve = add(node(0), 'eve', '--open', 'tcp/22')
    await inSync()
    writeFileSync(lab.secretFile, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
    node(0).daemon.reload()
    await node(0).daemon.until(({ text }) => /CLUSTER_SECRET_FILE has another secret: restart/.test(`${text}`))
    for (const [at, other] of [
      [node(0), node(1)],
      [node(1), node(0)],
    ] as const) {
      await at.daemon.restart()
      await lab.usable()
      const text = packet(eve)
      const send = (to: ClusterNode) => to.daemon.verdictAfter(() => sendPacket(lab.client.host, to.address, text))
      assert.equal(codeOf(await send(at)), 'granted')
      assert.equal(codeOf(await send(other)), 'SPA_REPLAYED')
    }
    assert.match(refused(node(0), 'disable', 'eve'), /CLUSTER_USERS_WENT_BACK/)
    assert.equal(member().etcdctl('del', '--prefix', 'ghostport/front/records/').status, 0)
    did(node(1), 'publish', '--copy')
    await inSync()
    did(node(0), 'disable', 'eve')
    await inSync()
    assert.equal(codeOf(await knock(node(1), eve)), 'ACCESS_EXPIRED')
    // Nothing of the old secret is left.
    await node(0).daemon.restart()
    await inSync()
    assert.equal((await statusOf(node(0))).cluster?.records?.unreadable, 0)
  })

  it('2 000 users are listed and read again, and a change of one is small', async () => {
    const many = Array.from({ length: 2000 }, (_, i) =>
      stanza([`NAME many-${i}`, 'OPEN_PORTS tcp/22'], {
        key: `the key of user ${i}`,
        hmac: `the other key of user ${i}`,
      }),
    )
    writeFileSync(node(0).daemon.path('access.conf'), `${OWN}\n${many.join('\n')}`, { mode: 0o600 })
    did(node(0), 'publish', 'many-0')
    const said = user(node(0), 'publish', '--all')
    assert.equal(said.status, 0, said.stderr)
    assert.match(said.stderr, /warning: nobody is left in access\.conf.*ghostport user add NAME --local/)
    await inSync()
    // The other node has all of them too, as its own.
    writeFileSync(node(1).daemon.path('access.conf'), `${OWN}\n${many.join('\n')}`, { mode: 0o600 })
    const again = user(node(1), 'publish', '--all')
    assert.equal(again.status, 0, again.stderr)
    assert.match(again.stderr, /of the cluster already, .*many-1999/)
    assert.doesNotMatch(readFileSync(node(1).daemon.path('access.conf'), 'utf8'), /NAME/)
    assert.ok((await usersOf(node(1))).stanzas >= 2001)
    assert.equal(
      codeOf(await knock(node(1), { key: 'the key of user 1999', hmac: 'the other key of user 1999' }, false)),
      'granted',
    )
    did(node(1), 'disable', 'many-7')
    await inSync()
    assert.equal(
      codeOf(await knock(node(0), { key: 'the key of user 7', hmac: 'the other key of user 7' }, false)),
      'ACCESS_EXPIRED',
    )
    const { users } = JSON.parse(did(node(1), 'list', '--json')) as { users: unknown[] }
    assert.ok(users.length > 2000)
    // The owner's stanza went with them: each node may have all its users from the cluster.
    assert.equal(codeOf(await knock(node(1), OWNER, false)), 'granted')
  })
})
