/** Claims over an etcd of memory that can lose, delay, repeat and forget: its answers have the form of the real one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { NodeName } from '../config/server/cluster-settings.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { milliseconds, seconds } from '../units.ts'
import type { EtcdAnswer } from './call.ts'
import { Claims } from './claims.ts'
import type { Etcd } from './etcd.ts'
import type { EtcdPast } from './header.ts'

type Txn = { readonly success: readonly { readonly request_txn?: { readonly success: readonly Put[] } }[] }
type Put = { readonly request_put: { readonly key: string; readonly value: string; readonly lease: string } }

class FakeEtcd implements Pick<Etcd, 'ask'> {
  readonly keys = new Map<string, string>()
  readonly asked: string[] = []
  cluster = '17'
  revision = 100
  leases = 0
  closed: string | undefined
  isFull = false
  /** What happens to the next transactions. */
  readonly faults: ('lost before' | 'lost after' | 'no lease' | 'nonsense' | 'denied')[] = []
  during: () => Promise<void> = async () => {}

  async ask(path: string, body: unknown): Promise<EtcdAnswer> {
    this.asked.push(path)
    if (path === 'Lease/LeaseGrant') return this.#answer({ ID: `${++this.leases}`, TTL: '900' })
    if (path === 'KV/Put') {
      if (this.isFull) return { kind: 'refused', code: 8, why: 'etcdserver: mvcc: database space exceeded' }
      const { value } = body as { readonly value: string }
      this.closed = value
      return this.#answer({})
    }
    if (path === 'KV/Range') return this.#answer(this.#closedKvs())
    const fault = this.faults.shift()
    if (fault === 'lost before') return { kind: 'silence', why: 'lost' }
    if (fault === 'no lease') return { kind: 'refused', code: 5, why: 'etcdserver: requested lease not found' }
    if (fault === 'denied') return { kind: 'refused', code: 7, why: 'etcdserver: permission denied' }
    if (fault === 'nonsense') return { kind: 'answer', value: { header: this.#header(), kvs: [] } }
    const [, ...claims] = (body as Txn).success
    const responses = claims.map(({ request_txn }) => {
      const put = request_txn?.success[0]?.request_put
      assert.ok(put)
      const holder = this.keys.get(put.key)
      if (holder !== undefined) {
        const range = { header: {}, count: '1', kvs: [{ key: put.key, value: holder }] }
        return { response_txn: { header: {}, responses: [{ response_range: range }] } }
      }
      this.keys.set(put.key, put.value)
      this.revision++
      return { response_txn: { header: {}, succeeded: true, responses: [{ response_put: { header: {} } }] } }
    })
    await this.during()
    if (fault === 'lost after') return { kind: 'silence', why: 'lost' }
    const range = { response_range: { header: {}, ...this.#closedKvs() } }
    return this.#answer({ succeeded: true, responses: [range, ...responses] })
  }

  #closedKvs(): object {
    return this.closed === undefined ? {} : { count: '1', kvs: [{ key: 'a', value: this.closed }] }
  }

  async preferLeader(): Promise<void> {}

  #header(): unknown {
    return { cluster_id: this.cluster, revision: `${this.revision}`, member_id: '1', raft_term: '2' }
  }

  #answer(value: object): EtcdAnswer {
    return { kind: 'answer', value: { header: this.#header(), ...value } }
  }
}

function claims(etcd: FakeEtcd, more: { readonly node?: string; readonly past?: EtcdPast } = {}) {
  const clocks = { now: 1_800_000_000_000 }
  const pasts: EtcdPast[] = []
  const made = new Claims({
    ...{ etcd, cluster: 'front', node: (more.node ?? 'web-1') as NodeName, life: seconds(840), past: more.past },
    clocks: { monotonic: () => milliseconds(clocks.now - 1_800_000_000_000), wall: () => milliseconds(clocks.now) },
    onPast: (past) => pasts.push(past),
  })
  const claim = (n: number) =>
    made.claim(Buffer.alloc(32, n).toString('base64').replace('=', '') as ReplayDigest, milliseconds(500))
  return { claim, clocks, pasts, made }
}

describe('claims', () => {
  it('are first once, for all nodes', async () => {
    const etcd = new FakeEtcd()
    const [one, two] = [claims(etcd), claims(etcd, { node: 'web-2' })]
    const answers = await Promise.all([one.claim(1), two.claim(1), two.claim(2), one.claim(2)])
    assert.deepEqual(answers, ['first', { usedAt: 'web-1' }, { usedAt: 'web-1' }, 'first'])
  })

  it('go in groups: a thousand take ten transactions', async () => {
    const etcd = new FakeEtcd()
    const { made } = claims(etcd)
    const digests = Array.from({ length: 1000 }, (_, i) => {
      const bytes = Buffer.alloc(32)
      bytes.writeUInt32BE(i)
      return bytes.toString('base64').replace('=', '') as ReplayDigest
    })
    const answers = await Promise.all(digests.map((digest) => made.claim(digest, milliseconds(500))))
    assert.ok(answers.every((answer) => answer === 'first'))
    assert.equal(etcd.asked.filter((path) => path === 'KV/Txn').length, 10)
  })

  it('are unknown if etcd does not answer, also where it did what was asked', async () => {
    const etcd = new FakeEtcd()
    const { claim } = claims(etcd)
    etcd.faults.push('lost before', 'lost after', 'nonsense')
    for (const n of [1, 2, 3]) assert.ok('unknown' in ((await claim(n)) as object))
  })

  it('with little time left do not take the time of those that go with them', async () => {
    const etcd = new FakeEtcd()
    const { made } = claims(etcd)
    const limits: number[] = []
    etcd.ask = new Proxy(etcd.ask, {
      apply: async (target, self, [path, body, limit]) => {
        limits.push(limit)
        if (path === 'KV/Txn') await delay(100)
        return await target.call(self, path, body)
      },
    })
    const digest = (n: number) => Buffer.alloc(32, n).toString('base64').replace('=', '') as ReplayDigest
    const answers = await Promise.all([
      made.claim(digest(1), milliseconds(20)),
      made.claim(digest(2), milliseconds(3000)),
    ])
    assert.deepEqual(answers, [{ unknown: 'no answer in time' }, 'first'])
    assert.ok(
      limits.every((limit) => limit > 1000),
      limits.join(),
    )
  })

  it('are made again under a new lease where etcd does not know the old one', async () => {
    const etcd = new FakeEtcd()
    const { claim } = claims(etcd)
    etcd.faults.push('no lease')
    assert.equal(await claim(1), 'first')
    assert.equal(etcd.leases, 2)
  })

  it('do not count if the answer came so late that the lease may have ended', async () => {
    const etcd = new FakeEtcd()
    const { claim, clocks } = claims(etcd)
    assert.equal(await claim(1), 'first')
    clocks.now += 50_000
    etcd.during = async () => {
      clocks.now += 60_000
    }
    assert.deepEqual(await claim(2), { unknown: 'etcd’s answer came too late' })
    etcd.during = async () => {}
    assert.equal(await claim(3), 'first')
    assert.equal(etcd.leases, 2)
  })

  for (const [what, change] of [
    ['another cluster', (etcd: FakeEtcd) => (etcd.cluster = '18')],
    ['an earlier state', (etcd: FakeEtcd) => (etcd.revision = 50)],
  ] as const)
    it(`are not first in ${what}, for all nodes, until all packets of before are too old`, async () => {
      const etcd = new FakeEtcd()
      const [one, fresh] = [claims(etcd), claims(etcd, { node: 'web-2' })]
      assert.equal(await one.claim(1), 'first')
      change(etcd)
      etcd.keys.clear()
      assert.match(JSON.stringify(await one.claim(1)), /has forgotten packets/)
      await delay(0)
      // One that knows nothing of before learns it from etcd.
      assert.match(JSON.stringify(await fresh.claim(2)), /has forgotten packets/)
      // And a look says so for all of that time, not once.
      for (const { made } of [one, fresh, one, fresh])
        assert.match(JSON.stringify(await made.look(milliseconds(500))), /why.*has forgotten packets/)
      for (const { clocks } of [one, fresh]) clocks.now += 841_000
      assert.equal(await one.claim(3), 'first')
      assert.equal(await fresh.claim(4), 'first')
      for (const { made } of [one, fresh]) assert.ok('took' in (await made.look(milliseconds(500))))
    })

  it('close a cluster of which something else shows that it has forgotten', async () => {
    const etcd = new FakeEtcd()
    const [one, other] = [claims(etcd), claims(etcd, { node: 'web-2' })]
    assert.equal(await one.claim(1), 'first')
    assert.equal(one.made.closeAsForgotten(), one.clocks.now / 1000 + 840)
    await delay(10)
    for (const [i, { claim }] of [one, other].entries())
      assert.match(JSON.stringify(await claim(10 + i)), /has forgotten packets/)
    for (const { clocks } of [one, other]) clocks.now += 841_000
    assert.equal(await one.claim(3), 'first')
  })

  it('close a cluster that has forgotten something again after a restart, as long as etcd did not take the end', async () => {
    const etcd = new FakeEtcd()
    const past: EtcdPast = { cluster: '17', revision: 200n }
    const before = claims(etcd, { past })
    etcd.isFull = true
    assert.match(JSON.stringify(await before.claim(1)), /has forgotten packets/)
    assert.match(JSON.stringify(await before.claim(2)), /has forgotten packets/)
    await delay(0)
    // Nothing is remembered of the new state, so the next start notices it too.
    assert.deepEqual(before.pasts, [])
    assert.match(JSON.stringify(await claims(etcd, { past }).claim(3)), /has forgotten packets/)
    etcd.isFull = false
    assert.match(JSON.stringify(await before.made.look(milliseconds(500))), /has forgotten packets/)
    await delay(0)
    assert.equal(before.pasts.length, 1)
    assert.notEqual(etcd.closed, undefined)
  })

  it('never make the end earlier that etcd knows', async () => {
    const etcd = new FakeEtcd()
    etcd.closed = Buffer.from('for ever').toString('base64')
    const { claim } = claims(etcd, { past: { cluster: '17', revision: 200n } })
    assert.match(JSON.stringify(await claim(1)), /has forgotten packets/)
    await delay(0)
    assert.equal(Buffer.from(etcd.closed, 'base64').toString(), 'for ever')
  })

  it('that etcd refuses are told by each look for a minute, or until one is taken', async () => {
    const etcd = new FakeEtcd()
    const { claim, clocks, made } = claims(etcd)
    const look = async (): Promise<string> => JSON.stringify(await made.look(milliseconds(500)))
    for (const end of ['time', 'a claim'] as const) {
      etcd.faults.push('denied')
      assert.match(JSON.stringify(await claim(1)), /unknown.*permission denied/)
      clocks.now += 59_000
      assert.match(await look(), /why.*permission denied/)
      if (end === 'time') clocks.now += 2000
      else assert.equal(await claim(2), 'first')
      assert.match(await look(), /took/)
    }
  })

  it('remember over a restart what etcd knew', async () => {
    const etcd = new FakeEtcd()
    const before = claims(etcd)
    await before.claim(1)
    const past = before.pasts.at(-1)
    assert.deepEqual(past, { cluster: '17', revision: 101n })
    etcd.revision = 90
    assert.match(JSON.stringify(await claims(etcd, { past: past as EtcdPast }).claim(1)), /has forgotten packets/)
  })
})
