/**
 * Users of a cluster where something goes wrong, or somebody wants it to: with a real etcd, with the real parts of each
 * node. What the daemons make of it is in test/netns/cluster-users.test.ts.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parseClusterSecret } from '../../src/cluster-record/seal.ts'
import { type StanzaChange, stanzaKey } from '../../src/cluster-users/pages.ts'
import { stanzaTexts } from '../../src/config/access/cluster-blocks.ts'
import type { Ended } from '../../src/daemon/warden/cluster-users/endings.ts'
import { draftOf } from '../../src/system/drafts.ts'
import { HostileEtcd, PlainEtcd } from '../support/plain-etcd.ts'
import { must } from '../support/results.ts'
import { UsersNode, type UsersNodeOptions } from '../support/users-node.ts'

const secretOf = (fill: number) => must(parseClusterSecret(Buffer.from(Buffer.alloc(32, fill).toString('base64'))))
const stanza = (name: string, port = 22): string =>
  `SOURCE              ANY\nNAME                ${name}\nOPEN_PORTS          tcp/${port}\nKEY                 key of ${name}`
const added = (name: string): readonly StanzaChange[] => [{ key: name, after: stanza(name) }]
/** @param at a node that has it. */
const removed = ({ copy }: UsersNode, name: string): readonly StanzaChange[] => {
  const before = stanzaTexts(copy).find(({ text }) => stanzaKey(text) === name)?.text
  return [{ key: name, before: before ?? assert.fail(copy) }]
}
const has = ({ copy }: UsersNode, name: string): boolean => copy.includes(`NAME                ${name}\n`)

describe('users of a cluster, where something goes wrong', () => {
  let etcd: PlainEtcd
  let hostile: HostileEtcd
  let nodes: UsersNode[] = []
  /** Each test has a cluster of its own. */
  let cluster = 0

  before(async () => {
    etcd = await PlainEtcd.start('--quota-backend-bytes', `${6 * 1024 * 1024}`)
    hostile = await HostileEtcd.before(etcd.port)
  })
  afterEach(() => {
    for (const node of nodes) node.close()
    nodes = []
    cluster++
    hostile.twist = (_, text) => text
  })
  after(async () => {
    hostile[Symbol.dispose]()
    await etcd[Symbol.asyncDispose]()
  })

  const clusterName = (): string => `c${cluster}`
  const prefix = (): string => `ghostport/${clusterName()}/records/users/`
  const folder = (): string => join(etcd.folder, clusterName())
  function node(name: string, options: Partial<UsersNodeOptions> = {}): UsersNode {
    const usual = { secret: secretOf(7), port: etcd.port, folder: folder(), cluster: clusterName() }
    const made = new UsersNode(name, { ...usual, ...options })
    nodes.push(made)
    return made
  }
  async function did(at: UsersNode, changes: readonly StanzaChange[]): Promise<number> {
    return must(await at.users.edit(changes)).version
  }
  const whyNot = async (asked: ReturnType<UsersNode['users']['edit']>): Promise<string> => {
    const answer = await asked
    assert.ok(!answer.ok, JSON.stringify(answer))
    return `${answer.failure.code}: ${answer.failure.detail}`
  }

  it('what two nodes change at the same time is made, or refused with the reason, and both have the same', async () => {
    const [a, b] = [node('a'), node('b')]
    await a.inSync()
    await b.inSync()
    const names = ['a', 'b'].flatMap((at) => Array.from({ length: 6 }, (_, i) => `${at}-${i}`))
    const answers = await Promise.all(names.map((name) => (name.startsWith('a') ? a : b).users.edit(added(name))))
    const made = answers.filter(({ ok }) => ok).length
    assert.ok(made > 6, `${made}`)
    for (const answer of answers) if (!answer.ok) assert.match(answer.failure.detail, /try again/)
    await a.inSync(made)
    await b.inSync(made)
    assert.equal(a.copy, b.copy)
    for (const [i, name] of names.entries()) assert.equal(has(a, name), answers[i]?.ok, name)
    // What was tried in vain leaves nothing behind.
    const last = Math.max(await did(a, added('last')), await did(b, added('very-last')))
    await a.inSync(last)
    const pages = () => etcd.keys(`${prefix()}page/`).length
    for (let i = 0; pages() > 6; i++) {
      assert.ok(i < 100, `${pages()} pages`)
      await delay(100)
    }
  })

  it('a change of a user into itself writes nothing, and is refused where another node has changed the user', async () => {
    const [a, b] = [node('a'), node('b')]
    await a.inSync()
    await b.inSync()
    const version = await did(a, added('ada'))
    await b.inSync(version)
    const [{ key, before } = assert.fail()] = removed(b, 'ada')
    assert.ok(before?.includes('# ghostport: since '), before)
    const same = [{ key, before: before ?? '', after: before ?? '' }]
    const keys = etcd.keys(prefix())
    assert.equal(await did(b, same), version)
    assert.deepEqual(etcd.keys(prefix()), keys)
    await b.inSync(await did(a, removed(a, 'ada')))
    assert.match(await whyNot(b.users.edit(same)), /another node has changed ada meanwhile/)
    assert.equal(has(b, 'ada'), false)
  })

  it('a change is made once, or not at all, while etcd is killed', async () => {
    const [a, b] = [node('a'), node('b')]
    await a.inSync()
    await b.inSync()
    await did(a, added('first'))
    const names = ['one', 'two', 'three', 'four']
    const asked = Promise.all(names.map((name) => a.users.edit(added(name))))
    await delay(10)
    await etcd.kill()
    await etcd.begin()
    const answers = await asked
    await a.inSync()
    await b.inSync(a.version)
    assert.equal(a.copy, b.copy)
    for (const [i, answer] of answers.entries()) if (answer.ok) assert.ok(has(a, names[i] ?? ''), names[i])
  })

  it('a full etcd refuses a change, and takes it when it has room', async () => {
    const [a, b] = [node('a'), node('b')]
    await a.inSync()
    await did(a, added('ada'))
    etcd.fill()
    assert.match(await whyNot(a.users.edit(added('bob'))), /CLUSTER_USERS_REFUSED.*space exceeded/)
    assert.match(await whyNot(a.users.edit(removed(a, 'ada'))), /space exceeded/)
    assert.equal(a.version, 1)
    etcd.makeRoom()
    assert.equal(await did(a, removed(a, 'ada')), 2)
    await b.inSync(2)
    assert.equal(has(b, 'ada'), false)
  })

  it('a copy that cannot be written is written as soon as it can be, and nothing of it counts before', async () => {
    const [a, b] = [node('a'), node('b')]
    await a.inSync()
    await did(a, added('ada'))
    await b.inSync(1)
    // The name under which it writes first is taken.
    const draft = draftOf(join(folder(), 'b-copy'))
    mkdirSync(draft)
    await did(a, added('bob'))
    await b.until(
      'cannot write',
      () => !b.users.status(0).inSync && b.log.records.some(({ fields }) => fields['code'] === 'CONFIG_UNWRITABLE'),
    )
    assert.equal(b.version, 1)
    assert.match(await whyNot(b.users.edit(added('carol'))), /CLUSTER_USERS_REFUSED/)
    rmdirSync(draft)
    await b.inSync(2)
    assert.ok(has(b, 'bob'))
    assert.deepEqual(
      b.applied.map(([{ version }]) => version),
      [1, 2],
    )
  })

  it('a slow reload holds nothing up but its own node, and users that are removed meanwhile end', async () => {
    const slow = { release: () => {} }
    const b = node('b', { apply: () => new Promise((resolve) => (slow.release = () => resolve(undefined))) })
    const a = node('a')
    await a.inSync()
    await b.inSync()
    await did(a, added('ada'))
    await b.until('begins', () => b.applied.length === 1)
    await did(a, removed(a, 'ada'))
    await did(a, added('bob'))
    await b.until('has it', () => b.version === 3)
    assert.equal(b.applied.length, 1)
    slow.release()
    await b.until('the last', () => b.applied.length === 2)
    assert.equal(b.applied[1]?.[0].version, 3)
    slow.release()
    await b.inSync(3)
    await b.until('ends what ada has', () => b.applied[1]?.[1].join() === 'ada')
  })

  it('what a removed user has open ends slowly: the next change is in force meanwhile, and a restart knows of it', async () => {
    const slow = { release: () => {} }
    const end = () => new Promise<Ended>((resolve) => (slow.release = () => resolve({})))
    const [a, b] = [node('a'), node('b', { end })]
    await a.inSync()
    await b.inSync()
    await did(a, added('ada'))
    await did(a, removed(a, 'ada'))
    await b.until('ends what ada has', () => b.applied.at(-1)?.[1].join() === 'ada')
    await did(a, added('bob'))
    await b.inSync(3)
    assert.equal(b.applied.at(-1)?.[0].version, 3)
    const state = () => readFileSync(join(folder(), 'b-copy-state'), 'utf8')
    assert.match(state(), /ada/)
    slow.release()
    await b.until('notes the end', () => !state().includes('ada'))
  })

  it('a reload that is refused is tried again, and who was removed ends then', async () => {
    const state = { why: undefined as string | undefined }
    const [a, b] = [node('a'), node('b', { apply: async () => state.why })]
    await a.inSync()
    await did(a, added('ada'))
    await b.inSync(1)
    state.why = 'access.conf:3: a fault'
    await did(a, removed(a, 'ada'))
    await b.until('refused', () => /not in force here: access.conf:3/.test(b.users.status(0).why ?? ''))
    assert.match(await whyNot(b.users.edit(added('bob'))), /access.conf:3/)
    state.why = undefined
    await b.inSync(2)
    await b.until('ends what ada has', () => b.applied.at(-1)?.[1].join() === 'ada')
    // Also if the server is started again before: without etcd, and once.
    state.why = 'access.conf:4: a fault'
    await did(a, added('bob'))
    await did(a, removed(a, 'bob'))
    await b.until('has it', () => b.version === 4 && b.applied.at(-1)?.[0].version === 4)
    b.close()
    state.why = undefined
    const alone = node('b', { port: hostile.port, between: () => [] })
    await alone.until('ends what bob has', () => alone.applied[0]?.[1].join() === 'bob')
    assert.equal(alone.applied.length, 1)
    await alone.until('notes that', () => !readFileSync(join(folder(), 'b-copy-state'), 'utf8').includes('bob'))
    alone.close()
    const again = node('b')
    await again.inSync(4)
    assert.deepEqual(again.applied, [])
  })

  it('a copy that an administrator publishes reaches nodes that were away, and overrules none that knows more', async () => {
    const [a, old] = [node('a'), node('old')]
    await a.inSync()
    await did(a, added('ada'))
    await old.inSync(1)
    old.close()
    await did(a, added('bob'))
    a.close()
    const b = node('b')
    await b.inSync()
    assert.equal(await did(b, removed(b, 'ada')), 3)
    b.close()
    etcd.etcdctl(['del', '--prefix', prefix()])
    const publish = async (at: UsersNode): Promise<number> => {
      await at.until('follows', () => at.records.status().following)
      return must(await at.users.publishCopy()).version
    }
    const again = node('a')
    await again.until('went back', () => /no users any more/.test(again.users.status(0).why ?? ''))
    assert.equal(await publish(again), 67)
    const older = node('old')
    await older.inSync(67)
    const later = node('b')
    await later.until('does not take it', () => /67, by a, does not follow it/.test(later.users.status(0).why ?? ''))
    assert.match(await whyNot(later.users.edit(added('carol'))), /CLUSTER_USERS_WENT_BACK/)
    assert.equal(has(later, 'ada'), false)
    assert.equal(await publish(later), 68)
    for (const one of [again, older]) {
      await one.inSync(68)
      assert.equal(one.copy, later.copy)
    }
    await did(older, added('carol'))
    await later.inSync(69)
  })

  it('with another secret nothing is changed beside the others, and with a copy of before it goes on', async () => {
    const a = node('a')
    await a.inSync()
    for (const name of ['ada', 'bob', 'carol']) await did(a, added(name))
    const stranger = node('b', { secret: secretOf(8) })
    const said = /cannot be opened here: this node has another CLUSTER_SECRET_FILE/
    await stranger.until('cannot open', () => said.test(stranger.users.status(0).why ?? ''))
    assert.match(await whyNot(stranger.users.edit(added('eve'))), said)
    assert.equal(await did(a, added('dora')), 4)
    a.close()
    // A new secret for all, as after a node was taken over. What is under the old one is in the way of no version.
    etcd.etcdctl(['put', `${prefix()}roster/70`], 'nobody can open this')
    etcd.etcdctl(['put', `${prefix()}roster/281474976710656`], 'nobody can open this')
    const renewed = node('a', { secret: secretOf(8) })
    await renewed.until('went back', () => /no users any more/.test(renewed.users.status(0).why ?? ''))
    await renewed.until('follows', () => renewed.records.status().following)
    assert.deepEqual(await renewed.users.publishCopy(), { ok: true, value: { version: 69 } })
    assert.equal(await did(renewed, added('emil')), 71)
    await stranger.inSync(71)
    assert.equal(stranger.copy, renewed.copy)
  })

  it('a copy of another cluster does not count, and is not published', async () => {
    const a = node('a')
    await a.inSync()
    await did(a, added('ada'))
    a.close()
    const b = node('a', { cluster: `${clusterName()}-other` })
    assert.ok(b.log.records.some(({ fields }) => fields['code'] === 'CONFIG_CONFLICT'))
    await b.inSync()
    assert.match(b.users.copyOld() ?? '', /does not know of which version/)
    assert.match(await whyNot(b.users.publishCopy()), /no copy/)
    assert.equal(await did(b, added('bob')), 1)
    assert.ok(has(b, 'bob') && !has(b, 'ada'))
    assert.equal(b.users.copyOld(), undefined)
  })

  it('a hostile etcd takes no user away and brings none back', async () => {
    const a = node('a')
    await a.inSync()
    for (const name of ['ada', 'bob', 'carol']) await did(a, added(name))
    await did(a, removed(a, 'ada'))
    const b = node('b', { port: hostile.port })
    await b.inSync(4)
    const { copy } = b
    const listOf = (text: string, change: (kvs: { key: string; value: string }[]) => unknown[]): string => {
      const answer = JSON.parse(text)
      return answer.kvs === undefined ? text : JSON.stringify({ ...answer, kvs: change(answer.kvs) })
    }
    const nameOf = ({ key }: { key: string }): string => Buffer.from(key, 'base64').toString()
    const lists = (change: (kvs: { key: string; value: string }[]) => unknown[]) => (path: string, text: string) =>
      path === 'KV/Range' ? listOf(text, change) : text
    const attacks: Readonly<Record<string, HostileEtcd['twist']>> = {
      'all removed': lists(() => []),
      'pages kept back': lists((kvs) => kvs.filter((one) => !nameOf(one).includes('/page/'))),
      'the last roster kept back': lists((kvs) => kvs.filter((one) => !nameOf(one).endsWith('/roster/4'))),
      'each under the name of another': lists((kvs) =>
        kvs.map((one, i) => ({ ...one, value: kvs[(i + 1) % kvs.length]?.value })),
      ),
      'a list without an end': (path, text) => (path === 'KV/Range' ? text.replace(/\}$/, ',"more":true}') : text),
      'no message': (path, text) => (path === 'KV/Range' ? '['.repeat(100_000) : text),
      'a field of another kind': (path, text) => (path === 'KV/Range' ? Buffer.from([0x08, 0x01]) : text),
      'a field that is longer than its message': (path, text) =>
        path === 'KV/Range' ? Buffer.from([0x0a, 0x7f, 0x08]) : text,
      'a number below zero': (path, text) =>
        path === 'KV/Range' ? text.replace(/"revision":"\d+"/, '"revision":"-1"') : text,
      'a number that is too large': (path, text) =>
        path === 'KV/Range' ? text.replace(/"revision":"\d+"/, '"revision":"9223372036854775807"') : text,
      'half of a watch': (path, text) => (path === 'Watch/Watch' ? text.slice(0, 9) : text),
      'a cancelled watch': (path, text) =>
        path === 'Watch/Watch' ? text.replace('"created":true', '"canceled":true') : text,
      'a watch that was compacted': (path, text) =>
        path === 'Watch/Watch' ? text.replace('"created":true', '"created":true,"compact_revision":"9"') : text,
    }
    for (const [what, twist] of Object.entries(attacks)) {
      const fresh = b.records.status().since
      hostile.twist = twist
      hostile.cut()
      await b.until(`is told ${what}`, () => b.records.status().since !== fresh || !b.records.status().following)
      await delay(300)
      assert.deepEqual([b.version, b.copy], [4, copy], what)
      hostile.twist = (_, text) => text
      hostile.cut()
      await b.inSync(4).catch((error: Error) => assert.fail(`${what}: ${error.message}`))
    }
    // A watch that is accepted, and tells nothing.
    hostile.twist = (path, text) => (path === 'Watch/Watch' ? undefined : text)
    hostile.cut()
    await b.until('sees that nothing is told', () => /no watch begins/.test(b.users.status(0).why ?? ''))
    assert.equal(b.users.status(0).inSync, false)
    hostile.twist = (_, text) => text
    await b.inSync(4)
    assert.equal(await did(b, added('dora')), 5)
  })
})
