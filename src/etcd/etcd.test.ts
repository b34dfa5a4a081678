import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds, port } from '../units.ts'
import type { EtcdAnswer, EtcdCalls } from './call.ts'
import { openEtcd } from './etcd.ts'

const LIMIT = milliseconds(20_000)
const NEVER = new Promise<EtcdAnswer>(() => {})
const yes = (value: unknown = {}): Promise<EtcdAnswer> => Promise.resolve({ kind: 'answer', value })
const failed = (why: string): Promise<EtcdAnswer> => Promise.resolve({ kind: 'silence', why })

/** @param answers what each call gets, in turn; with no more of them, silence for ever. */
function etcdWith(hosts: readonly string[], answers: readonly ((host: string) => Promise<EtcdAnswer>)[]) {
  const asked: string[] = []
  const calls: Pick<EtcdCalls, 'call' | 'close'> = {
    call: ({ host }) => answers[asked.push(host) - 1]?.(host) ?? NEVER,
    close: () => {},
  }
  const members = hosts.map((host) => ({ host, port: port(2379) }))
  return { asked, etcd: openEtcd({ members }, calls as EtcdCalls) }
}

describe('a client of etcd', () => {
  it('asks the next member as soon as one fails, and that one first from then on', async () => {
    const { asked, etcd } = etcdWith(['a', 'b', 'c'], [() => failed('no'), () => yes(), () => yes()])
    assert.equal((await etcd.ask('KV/Range', {}, LIMIT)).kind, 'answer')
    assert.equal((await etcd.ask('KV/Range', {}, LIMIT)).kind, 'answer')
    assert.deepEqual(asked, ['a', 'b', 'b'])
  })

  it('asks the next member if one is silent, and all of them again while all are', async () => {
    const { asked, etcd } = etcdWith(['a', 'b'], [() => NEVER, () => NEVER, () => NEVER, () => yes()])
    assert.equal((await etcd.ask('KV/Range', {}, LIMIT)).kind, 'answer')
    assert.deepEqual(asked, ['a', 'b', 'a', 'b'])
  })

  it('sends one late request once more, and the others when that one is answered', async () => {
    const silent = Array.from({ length: 3 }, () => () => NEVER)
    const { asked, etcd } = etcdWith(['a'], [...silent, () => yes(1), () => yes(2), () => yes(3)])
    const answers = await Promise.all([1, 2, 3].map(() => etcd.ask('KV/Range', {}, LIMIT)))
    assert.deepEqual(answers.map((answer) => answer.kind === 'answer' && answer.value).toSorted(), [1, 2, 3])
    assert.equal(asked.length, 6)
  })

  it('sends no more than one late request once more while no answer comes', async () => {
    const { asked, etcd } = etcdWith(['a'], [])
    for (let i = 0; i < 5; i++) void etcd.ask('KV/Range', {}, milliseconds(600))
    await delay(600)
    assert.equal(asked.length, 6)
  })

  it('says why it has no answer', async () => {
    const { etcd } = etcdWith(['a'], [() => failed('no route to a')])
    const answer = await etcd.ask('KV/Range', {}, milliseconds(100))
    assert.deepEqual(answer, { kind: 'silence', why: 'no route to a' })
  })

  it('asks the member first that leads', async () => {
    const status = (own: string, leader: string) => () => yes({ header: { member_id: own }, leader })
    const { asked, etcd } = etcdWith(['a', 'b', 'c'], [status('1', '2'), status('2', '2'), () => yes()])
    await etcd.preferLeader(LIMIT)
    await etcd.ask('KV/Range', {}, LIMIT)
    assert.deepEqual(asked, ['a', 'b', 'b'])
  })

  it('stays with its member where none leads', async () => {
    const nobody = () => yes({ header: { member_id: '1' }, leader: '0' })
    const { asked, etcd } = etcdWith(['a', 'b'], [nobody, () => failed('no'), () => yes()])
    await etcd.preferLeader(LIMIT)
    await etcd.ask('KV/Range', {}, LIMIT)
    assert.deepEqual(asked, ['a', 'b', 'a'])
  })

  it('logs in with the next password where the first is refused, also many at once, and with that one first from then on', async () => {
    const tried: unknown[] = []
    const calls: Pick<EtcdCalls, 'call' | 'close'> = {
      async call(_member, method, body) {
        if (method !== 'Auth/Authenticate') return { kind: 'answer', value: {} }
        const { password } = body
        tried.push(password)
        await delay(tried.length * 5)
        return password === 'new'
          ? { kind: 'answer', value: { token: 't' } }
          : { kind: 'refused', code: 3, why: 'authentication failed' }
      },
      close: () => {},
    }
    const members = [{ host: 'a', port: port(2379) }]
    const login = { user: 'spa', password: 'old', next: 'new' }
    const etcd = openEtcd({ members, login }, calls as EtcdCalls)
    const first = etcd.ask('KV/Range', {}, LIMIT)
    await delay(2)
    const answers = await Promise.all([first, ...[1, 2, 3].map(() => etcd.ask('KV/Range', {}, LIMIT))])
    assert.deepEqual(new Set(answers.map(({ kind }) => kind)), new Set(['answer']))
    assert.deepEqual(tried.slice(0, 4), ['old', 'old', 'old', 'old'])
    const other = openEtcd({ members, login: { user: 'spa', password: 'old' } }, calls as EtcdCalls)
    assert.equal((await other.ask('KV/Range', {}, LIMIT)).kind, 'refused')
  })
})
