/**
 * What nodes open and end for each other, over records that are sealed for real, through something that keeps them as
 * etcd does.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Grant } from '../../../access/grant.ts'
import { monotonic } from '../../../clock.ts'
import { recordId } from '../../../cluster-record/record-name.ts'
import { parseClusterSecret, recordSealer } from '../../../cluster-record/seal.ts'
import { loadConfig } from '../../../config/load.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import type { ClusterName, NodeName } from '../../../config/server/cluster-settings.ts'
import { MemoryLog } from '../../../log.ts'
import type { ReplayDigest } from '../../../packet/replay-digest.ts'
import { ok, refuse } from '../../../result.ts'
import { milliseconds, type Seconds, unixSeconds } from '../../../units.ts'
import type { Knock } from '../../link/knock.ts'
import { Records } from '../cluster-process/records.ts'
import { HookTap } from '../hook-tap.ts'
import { Journal } from '../journal.ts'
import type { Candidate } from '../under-way.ts'
import { Gates } from './gates.ts'
import { judgeRecord } from './judge-record.ts'
import { TakenFile } from './taken-file.ts'

const secret = parseClusterSecret(Buffer.from(Buffer.alloc(32, 7).toString('base64')))
assert.ok(secret.ok)
const sealer = recordSealer('front' as ClusterName, secret.value)
const texts = {
  '/s.conf': 'CLUSTER etcd://127.0.0.1/front;\nCLUSTER_NODE n;\nCLUSTER_SECRET_FILE /s;\nACCESS_FILE /a.conf;\n',
  '/a.conf': 'SOURCE ANY\nKEY one\nHMAC_KEY two\nNAME alice\nOPEN_PORTS tcp/22\nGATES *\nFROM_CLUSTER Y\n',
}
const loaded = loadConfig(filesFromSnapshot({ texts, folders: {}, failures: {} }), { server: '/s.conf' })
assert.ok(loaded.ok, JSON.stringify(loaded))
const { policy } = loaded.value
const [stanza] = policy.stanzas
assert.ok(stanza)
const PATIENCE = milliseconds(200)

/** Nodes with a folder, and what etcd keeps for them. */
function cluster(t: TestContext, names: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-gates-'))
  t.after(() => rmSync(folder, { recursive: true }))
  /** `endTakes`: milliseconds. */
  const state = { now: 1000, full: false, endTakes: 0 }
  const clock = { now: () => unixSeconds(state.now) }
  const kept = new Map<string, Extract<Parameters<Records['take']>[0], { type: 'changes' }>['changes'][number]>()
  const nodes = names.map((name, i) => {
    const records = new Records({ sealer, log: new MemoryLog(), limit: milliseconds(50) })
    const taken = TakenFile.open(join(folder, `${i}`), clock.now())
    assert.ok(taken.ok)
    const opened: Grant[] = []
    const ended: string[] = []
    /** How many ended together. */
    const groups: number[] = []
    const problems: string[] = []
    const refuses: 'FIREWALL_REFUSED'[] = []
    const hooks: string[] = []
    const users = { here: true, looks: 0 }
    const log = new MemoryLog()
    const tap = new HookTap(log, ({ event, node }) => hooks.push(`${event} by ${node}`))
    const journal = new Journal(tap, 10, { wall: () => new Date(), monotonic })
    const gates = new Gates({
      ...{ own: name as NodeName, records, taken: taken.value, clock, log },
      policy: () => {
        users.looks++
        return users.here ? policy : { ...policy, stanzas: [] }
      },
      ownAddresses: () => new Set(),
      clusterCopyOld: () => undefined,
      open: async (grants) => {
        opened.push(...grants)
        const code = refuses.shift()
        return grants.map(() => (code === undefined ? ok(undefined) : refuse(code, 'no')))
      },
      end: async (grants, how) => {
        groups.push(grants.length)
        if (state.endTakes > 0) await delay(state.endTakes)
        ended.push(...grants.map((grant) => `${how} ${grant.id}`))
        return problems.shift()
      },
      journal,
    })
    t.after(() => gates.close())
    return { records, gates, taken: taken.value, opened, ended, groups, problems, refuses, hooks, users, journal, log }
  })
  for (const { records } of nodes) {
    records.connect((message) => {
      setImmediate(() => {
        const { number } = message
        if (state.full) return records.take({ type: 'written', number, why: 'database space exceeded' })
        const { kind, id } = message
        const change = message.type === 'put' ? { kind, id, sealed: message.sealed } : { kind, id }
        kept.set(`${kind}/${id}`, change)
        for (const node of nodes) node.records.take({ type: 'changes', changes: [change] })
        return records.take({ type: 'written', number })
      })
    })
    for (const one of ['listing', 'listed', 'following'] as const) records.take({ type: 'records', state: one })
  }
  return { nodes: nodes as [(typeof nodes)[0], ...typeof nodes], state, kept }
}

function grantOf(source: string, lifetime = 30): { readonly knock: Knock; readonly grant: Grant } {
  const record = {
    ...{ v: 1, name: 'alice', user: 'ada', source, from: source, ports: [{ protocol: 'tcp', port: 22 }] },
    ...{ made: 1000, end: 1000 + lifetime, gates: ['*'], node: 'a' },
  } as never
  const grant = judgeRecord(record, { policy, ownAddresses: () => new Set() }, unixSeconds(1000))
  assert.ok(grant.ok, JSON.stringify(grant))
  const message = { kind: 'access', username: 'ada', source, ports: [{ protocol: 'tcp', port: 22 }] }
  const digest = Buffer.from(source.padEnd(32, '.')).toString('base64').slice(0, 43) as ReplayDigest
  return {
    knock: { digest, message, packet: { source } } as never,
    grant: { ...grant.value, lifetime: lifetime as Seconds },
  }
}

async function eventually(what: () => boolean): Promise<void> {
  for (let i = 0; !what(); i++) {
    assert.ok(i < 3000)
    await delay(5)
  }
}

describe('what nodes open and end for each other', () => {
  it('who revokes also ends the connections of grants that have ended, at all nodes', async (t) => {
    const { nodes, state } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    const { knock, grant } = grantOf('198.51.100.7')
    a.gates.granted(knock, grant, stanza)
    await eventually(() => b?.opened.length === 1)
    state.now += 3600
    await a.gates.end(() => true, 'revoke', 'all', PATIENCE)
    await eventually(() => b?.ended.join() === `revoke ${grant.id}`)
    // Once.
    assert.equal(await a.gates.end(() => true, 'revoke', 'all', PATIENCE), undefined)
  })

  it('what opens for another node has the line that a knock has, a count, and a hook; so has what is refused', async (t) => {
    const { nodes } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    const { knock, grant } = grantOf('198.51.100.7')
    a.gates.granted(knock, grant, stanza)
    const lines = () => b?.log.records.filter(({ event }) => event === 'gate').map(({ fields }) => fields) ?? []
    await eventually(() => lines().length === 1)
    const whose = { by: 'a', stanza: 1, name: 'alice', for: '198.51.100.7', user: 'ada' }
    assert.deepEqual(lines(), [{ verdict: 'granted', ...whose, grant: 'tcp/22', lifetime: 30 }])
    assert.deepEqual(b?.hooks, ['grant by a'])
    b?.refuses.push('FIREWALL_REFUSED')
    const other = grantOf('198.51.100.8')
    a.gates.granted(other.knock, other.grant, stanza)
    await eventually(() => lines().length === 2)
    assert.deepEqual(lines()[1], {
      ...{ verdict: 'refused', ...whose, for: '198.51.100.8', code: 'FIREWALL_REFUSED' },
      ...{ reason: lines()[1]?.['reason'], detail: 'no' },
    })
    assert.deepEqual(b?.hooks, ['grant by a', 'refusal by a'])
    assert.deepEqual(b?.journal.gateCounters(), { granted: 1, refused: { FIREWALL_REFUSED: 1 }, ended: 0 })
    assert.equal(b?.journal.lastVerdicts().length, 2)
    assert.equal(b?.journal.counters().granted, 0, 'it was no knock')
  })

  it('a grant that comes before its user is judged again; what stays refused is said', async (t) => {
    const { nodes } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    const { knock, grant } = grantOf('198.51.100.7')
    assert.ok(b)
    b.users.here = false
    a.gates.granted(knock, grant, stanza)
    await eventually(() => b.users.looks > 0)
    b.users.here = true
    await eventually(() => b.opened.length === 1)
    assert.deepEqual(b.journal.gateCounters(), { granted: 1, refused: {}, ended: 0 })
    b.users.here = false
    const other = grantOf('198.51.100.8')
    a.gates.granted(other.knock, other.grant, stanza)
    await eventually(() => a.gates.status()[1]?.refused[0]?.code === 'ACCESS_NO_STANZA')
    assert.deepEqual(b.journal.gateCounters().refused, { ACCESS_NO_STANZA: 1 })
  })

  it('what ends of its own at a node stays open at others, and is told; what it granted itself ends everywhere', async (t) => {
    const { nodes, kept } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    const { knock, grant } = grantOf('198.51.100.7', 300)
    a.gates.granted(knock, grant, stanza)
    await eventually(() => a.gates.status()[0]?.opened.length === 1)
    assert.equal(await b?.gates.end(() => true, 'revoke', 'own', PATIENCE), undefined)
    await eventually(() => a.gates.status()[0]?.closed.join() === 'b')
    assert.ok(![...kept.keys()].some((key) => key.startsWith('revocation/')))
    assert.deepEqual(a.ended, [])
    const other = grantOf('198.51.100.8', 300)
    a.gates.granted(other.knock, other.grant, stanza)
    await eventually(() => b?.opened.length === 2)
    await a.gates.end(({ source }) => source === '198.51.100.8', 'revoke', 'own', PATIENCE)
    await eventually(() => b?.ended.join() === `revoke ${other.grant.id}`)
  })

  it('a closing knock is about doors that are open', async (t) => {
    const { nodes, state } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    const { knock, grant } = grantOf('198.51.100.7')
    a.gates.granted(knock, grant, stanza)
    await eventually(() => b?.opened.length === 1)
    state.now += 3600
    assert.equal(await a.gates.end(() => true, 'close', 'all', PATIENCE), undefined)
  })

  it('a node with the name of another by mistake closes too', async (t) => {
    const { nodes } = cluster(t, ['a', 'b', 'b'])
    const [a, b, twin] = nodes
    const { knock, grant } = grantOf('198.51.100.7')
    a.gates.granted(knock, grant, stanza)
    await eventually(() => b?.opened.length === 1 && twin?.opened.length === 1)
    await b?.gates.end(() => true, 'revoke', 'all', PATIENCE)
    await eventually(() => twin?.ended.length === 1 && a.ended.length === 1)
  })

  it('what was revoked before it could be written is never written; the revocation is, when etcd has room', async (t) => {
    const { nodes, state, kept } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    state.full = true
    const { knock, grant } = grantOf('198.51.100.7', 300)
    a.gates.granted(knock, grant, stanza)
    await eventually(() => a.gates.status()[0]?.problem === 'database space exceeded')
    const ended = await a.gates.end(() => true, 'revoke', 'all', PATIENCE)
    assert.equal(ended?.unwritten, 'database space exceeded')
    state.full = false
    await eventually(() => [...kept.keys()].some((key) => key.startsWith('revocation/')))
    await delay(20)
    assert.deepEqual(b?.opened, [])
    assert.ok(![...kept.keys()].some((key) => key.startsWith('grant/')))
  })

  it('a node that is there and says nothing is told as not confirmed', async (t) => {
    const { nodes } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    await eventually(() => (a.records.status().records ?? 0) >= 2)
    // It hears of nothing from now on.
    if (b !== undefined) b.records.take = () => undefined
    const { knock, grant } = grantOf('198.51.100.7')
    a.gates.granted(knock, grant, stanza)
    await eventually(() => a.gates.status()[0]?.problem === undefined)
    assert.deepEqual((await a.gates.end(() => true, 'revoke', 'all', PATIENCE))?.unreached, ['b'])
  })

  for (const silent of ['the node of the knock', 'another gate'] as const)
    it(`a gate revokes: ${silent} that says nothing is told as not confirmed, until the grant would have ended`, async (t) => {
      const { nodes, state } = cluster(t, ['a', 'b', 'c'])
      const [a, b, c] = nodes
      assert.ok(b && c)
      await eventually(() => (b.records.status().records ?? 0) >= 3)
      const deaf = silent === 'another gate' ? c : a
      // The other gate has not even said that it opened.
      if (deaf === c) c.records.take = () => undefined
      const { knock, grant } = grantOf('198.51.100.7', 30)
      a.gates.granted(knock, grant, stanza)
      await eventually(() => b.opened.length === 1 && (deaf === c || c.opened.length === 1))
      await delay(300)
      if (deaf === a) a.records.take = () => undefined
      const first = await b.gates.end(() => true, 'revoke', 'all', milliseconds(1500))
      const [deafName, other] = deaf === c ? ['c', 'a'] : ['a', 'c']
      assert.deepEqual([first?.closed, first?.unreached], [[other], [deafName]])
      const second = grantOf('198.51.100.8', 30)
      a.gates.granted(second.knock, second.grant, stanza)
      await eventually(() => b.opened.length === 2)
      state.now += 31
      assert.deepEqual((await b.gates.end(() => true, 'revoke', 'all', PATIENCE))?.unreached, [])
    })

  it('what is revoked before a gate has told that it opened it, or while it waits for its user, is told as closed', async (t) => {
    const { nodes } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    assert.ok(b)
    const { knock, grant } = grantOf('198.51.100.7', 300)
    a.gates.granted(knock, grant, stanza)
    await eventually(() => b.opened.length === 1)
    assert.deepEqual((await a.gates.end(() => true, 'revoke', 'all', milliseconds(1500)))?.unreached, [])
    b.users.here = false
    const other = grantOf('198.51.100.8', 300)
    const { looks } = b.users
    a.gates.granted(other.knock, other.grant, stanza)
    await eventually(() => b.users.looks > looks)
    const ended = await a.gates.end(({ source }) => source === '198.51.100.8', 'revoke', 'all', milliseconds(1500))
    assert.deepEqual(ended?.unreached, [])
    // Later words do not take it back.
    await delay(300)
    assert.deepEqual(
      a.gates.status().map(({ opened, closed }) => [opened, closed]),
      [
        [[], ['b']],
        [[], ['b']],
      ],
    )
    assert.equal(b.opened.length, 1)
  })

  it('who revokes at a gate waits for what was granted before elsewhere, and is about to open here', async (t) => {
    const { nodes } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    assert.ok(b)
    b.users.here = false
    const { knock, grant } = grantOf('198.51.100.7', 300)
    a.gates.granted(knock, grant, stanza)
    await eventually(() => b.users.looks > 0)
    const isFor = (name: string) => (one: Candidate) => one.stanzas.includes(name)
    assert.equal(await b.gates.settled(PATIENCE, isFor('bob')), true)
    assert.equal(await b.gates.settled(PATIENCE, isFor('alice')), false)
    b.users.here = true
    assert.equal(await b.gates.settled(milliseconds(5000), ({ sources }) => sources.join() === '198.51.100.7'), true)
    assert.equal(b.opened.length, 1)
    // What is judged a second time, and refused, is waited for no longer.
    b.users.here = false
    const { looks } = b.users
    const other = grantOf('198.51.100.8', 300)
    a.gates.granted(other.knock, other.grant, stanza)
    await eventually(() => b.users.looks > looks)
    assert.equal(await b.gates.settled(milliseconds(5000), isFor('alice')), true)
    assert.equal(b.opened.length, 1)
  })

  it('a door that could not be closed is closed again, and is told as open until then', async (t) => {
    const { nodes } = cluster(t, ['a', 'b'])
    const [a, b] = nodes
    b?.problems.push('the firewall refuses')
    const { knock, grant } = grantOf('198.51.100.7', 300)
    a.gates.granted(knock, grant, stanza)
    await eventually(() => a.gates.status()[0]?.opened.length === 1)
    assert.deepEqual((await a.gates.end(() => true, 'revoke', 'all', PATIENCE))?.unreached, ['b'])
    await eventually(() => b?.ended.length === 2 && a.gates.status()[0]?.closed.join() === 'b')
  })

  it('revocations that come one after the other end in a few groups, the first at once', async (t) => {
    const { nodes, state, kept } = cluster(t, ['a', 'b'])
    state.endTakes = 15
    const [a, b] = nodes
    assert.ok(b)
    const sources = Array.from({ length: 40 }, (_, i) => `198.51.100.${i}`)
    for (const source of sources) {
      const { knock, grant } = grantOf(source, 300)
      a.gates.granted(knock, grant, stanza)
    }
    await eventually(() => b.opened.length === sources.length)
    const ids = [...kept.keys()].filter((key) => key.startsWith('grant/')).map((key) => recordId(key.slice(6)))
    for (const id of ids) {
      assert.ok(id)
      const name = { kind: 'revocation', id } as const
      const sealed = sealer.seal(name, Buffer.from(JSON.stringify({ v: 1, end: 1300, node: 'a', how: 'revoke' })))
      b.records.take({ type: 'changes', changes: [{ ...name, sealed }] })
      await delay(10)
    }
    await eventually(() => b.ended.length === sources.length)
    assert.equal(b.groups[0], 1)
    assert.ok(b.groups.length <= 10, b.groups.join())
  })

  it('what a captured node writes with an end in the far future is kept as long as it could be open here', async (t) => {
    const { nodes } = cluster(t, ['b'])
    const [b] = nodes
    const far = 900_000_000_000
    const told = (kind: 'grant' | 'revocation', text: string, value: object): void => {
      const id = recordId(text)
      assert.ok(id)
      const sealed = sealer.seal({ kind, id }, Buffer.from(JSON.stringify({ v: 1, end: far, node: 'z', ...value })))
      b.records.take({ type: 'changes', changes: [{ kind, id, sealed }] })
    }
    const source = '198.51.100.7'
    const asked = { name: 'alice', user: 'ada', source, from: source, ports: [{ protocol: 'tcp', port: 22 }] }
    told('grant', 'g1', { ...asked, made: 1000, gates: ['*'] })
    told('revocation', 'r1', { how: 'revoke' })
    const entry = (text: string) => b.taken.all().find(({ id }) => id === text)
    await eventually(() => entry('g1') !== undefined && entry('r1') !== undefined && b.opened.length === 1)
    // MAX_FW_TIMEOUT is 300; of what nobody knows, an hour and what clocks may differ.
    assert.deepEqual([entry('g1')?.here, entry('r1')?.here], [1300, 1000 + 300 + 3600])
    // What others are told has the end that the record has.
    assert.equal(entry('g1')?.end, far)
    await b.gates.end(() => true, 'revoke', 'all', PATIENCE)
    assert.deepEqual([entry('g1')?.here, entry('g1')?.grant], [1000 + 300 + 3600, undefined])
  })

  it('one stanza does not fill etcd', async (t) => {
    const { nodes, kept } = cluster(t, ['a', 'b'])
    const [a] = nodes
    for (let i = 0; i < 1010; i++) {
      const { knock, grant } = grantOf(`198.51.${100 + (i >> 8)}.${i & 255}`)
      a.gates.granted(knock, grant, stanza)
    }
    assert.equal(a.gates.status().length, 1000)
    await eventually(() => [...kept.keys()].filter((key) => key.startsWith('grant/')).length === 1000)
  })

  it('a stanza with many gates has fewer grants at other nodes: each gate answers', async (t) => {
    const { nodes, kept } = cluster(t, ['a'])
    const [a] = nodes
    const many = { ...stanza, gates: Array.from({ length: 200 }, (_, i) => `gate-${i}`) }
    for (let i = 0; i < 110; i++) {
      const { knock, grant } = grantOf(`198.51.100.${i}`)
      a.gates.granted(knock, grant, many)
    }
    assert.equal(a.gates.status().length, 100)
    const told = a.log.records.filter(({ event }) => event === 'gates')
    assert.equal(told.length, 10)
    await eventually(() => [...kept.keys()].filter((key) => key.startsWith('grant/')).length === 100)
    assert.match(`${told[0]?.fields['detail']}`, /100 of this stanza live, and the limit is 100 for 200 gates/)
  })
})
