import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { KeyringName } from '../../../access/keyring.ts'
import type { NameQuestion } from '../../../access/openings.ts'
import { type IpAddress, parseAddress } from '../../../packet/address.ts'
import { milliseconds } from '../../../units.ts'
import { type LookupAnswer, type NameAnswer, NameLookups } from './name-lookups.ts'

const ip = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}
const FOUND = ip('10.0.0.5')
const NONE = { why: 'nobody knows it' }

/** A resolver that answers on demand, and a clock and timers that move on demand. */
function lookups(t: { mock: typeof import('node:test').mock }) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  const asked: { name: string; answer: (answer: NameAnswer) => void; ended: boolean }[] = []
  const made = new NameLookups(
    ({ name }, signal) =>
      new Promise((resolve) => {
        const entry = { name, answer: resolve, ended: false }
        asked.push(entry)
        signal.addEventListener('abort', () => {
          entry.ended = true
          resolve({ why: 'ended' })
        })
      }),
    () => milliseconds(now),
  )
  const answers: string[] = []
  const find = (name: string, key = 'K1', source = '192.0.2.1', family: NameQuestion['family'] = 4): void => {
    const asker = { keyring: key as KeyringName, source: ip(source) }
    made.find({ name, family }, asker, (answer) => answers.push(`${key} ${name} ${show(answer)}`))
  }
  const names = () => asked.map(({ name }) => name)
  const pass = async (time: number): Promise<void> => {
    now += time
    t.mock.timers.tick(time)
    await setImmediate()
  }
  const answer = async (name: string, with_: NameAnswer = FOUND): Promise<void> => {
    asked.findLast((entry) => entry.name === name)?.answer(with_)
    await setImmediate()
  }
  return { made, asked, answers, find, names, pass, answer }
}

function show(answer: LookupAnswer): string {
  if (!answer.ok) return `${answer.failure.code}: ${answer.failure.detail}`
  return typeof answer.value === 'string' ? answer.value : answer.value.why
}

test('one name is asked for once, by however many, and its answer counts for ten seconds', async (t) => {
  const { find, names, answers, answer, pass, made } = lookups(t)
  for (let i = 0; i < 5; i++) find('inner')
  find('INNER', 'K2')
  assert.deepEqual([names(), made.length], [['inner'], 6])
  await answer('inner')
  assert.deepEqual(answers, [...Array(5).fill('K1 inner 10.0.0.5'), 'K2 INNER 10.0.0.5'])
  assert.equal(made.length, 0)
  await pass(9999)
  find('inner')
  assert.deepEqual([names().length, answers.length], [1, 7])
  await pass(1)
  find('inner')
  assert.deepEqual([names().length, answers.length], [2, 7])
})

test('that a name has no address counts for three seconds, and for its family', async (t) => {
  const { find, names, answers, answer, pass } = lookups(t)
  find('inner')
  await answer('inner', NONE)
  find('inner')
  assert.deepEqual(answers, Array(2).fill('K1 inner nobody knows it'))
  find('inner', 'K1', '2001:db8::1', 6)
  assert.equal(names().length, 2)
  await pass(3000)
  find('inner', 'K2')
  assert.equal(names().length, 3)
})

test('a key has two look-ups at once, and sixteen that wait; another key is not held up', async (t) => {
  const { find, names, answers } = lookups(t)
  for (let i = 0; i < 2000; i++) find(`n${i}`, 'K1', `192.0.2.${i % 200}`)
  assert.deepEqual(names(), ['n0', 'n1'])
  assert.equal(answers.length, 2000 - 16)
  assert.match(
    answers[0] ?? '',
    /^K1 n16 NAME_NOT_LOOKED_UP: 16 knocks of this key already wait for names, which is the limit$/,
  )
  find('inner', 'K2')
  assert.deepEqual(names(), ['n0', 'n1', 'inner'])
})

test('a source has eight that wait', (t) => {
  const { find, answers } = lookups(t)
  for (let i = 0; i < 9; i++) find(`n${i}`)
  assert.deepEqual(answers.length, 1)
  assert.match(answers[0] ?? '', /^K1 n8 NAME_NOT_LOOKED_UP: 8 knocks of this key and source already wait/)
  find('inner', 'K1', '192.0.2.2')
  assert.equal(answers.length, 1)
})

test('the next place goes to the key that had none for longest, and to the source whose turn it is', async (t) => {
  const { find, names, answer, pass } = lookups(t)
  for (const key of ['K1', 'K3']) for (let i = 0; i < 4; i++) find(`${key}-${i}`, key)
  assert.deepEqual(names(), ['K1-0', 'K1-1', 'K3-0', 'K3-1'])
  find('other-source', 'K1', '192.0.2.2')
  find('owner', 'K2')
  await pass(500)
  await answer('K1-0')
  assert.deepEqual(names().slice(4), ['owner'])
  await pass(500)
  await answer('K1-1')
  assert.deepEqual(names().slice(5), ['other-source'])
  await pass(500)
  await answer('K3-0')
  assert.deepEqual(names().slice(6), ['K3-2'])
})

test('a place is taken for a tenth of a second at least', async (t) => {
  const { find, names, answer, pass } = lookups(t)
  for (let i = 0; i < 4; i++) find(`n${i}`)
  await pass(40)
  await answer('n0')
  await pass(59)
  assert.equal(names().length, 2)
  await pass(1)
  assert.deepEqual(names(), ['n0', 'n1', 'n2'])
})

test('who waits for five seconds is refused; a look-up that has begun is waited for', async (t) => {
  const { find, answers, pass, answer, made } = lookups(t)
  for (let i = 0; i < 3; i++) find(`n${i}`)
  await pass(4999)
  assert.deepEqual(answers, [])
  await pass(1)
  assert.equal(answers.length, 1)
  assert.match(answers[0] ?? '', /^K1 n2 NAME_NOT_LOOKED_UP: it waited 5000 ms/)
  await answer('n0')
  assert.equal(answers[1], 'K1 n0 10.0.0.5')
  assert.equal(made.length, 1)
})

test('what is abandoned is ended and answered by nothing, and can be asked for again', async (t) => {
  const { find, answers, made, asked, names, pass, answer } = lookups(t)
  for (let i = 0; i < 3; i++) find(`n${i}`)
  made.abandon()
  assert.deepEqual([made.length, asked.map(({ ended }) => ended)], [0, [true, true]])
  find('n0')
  await pass(100)
  assert.deepEqual(names(), ['n0', 'n1', 'n0'])
  await answer('n0')
  assert.deepEqual(answers, ['K1 n0 10.0.0.5'])
})

test('at the end each look-up is ended, and each knock refused, also a later one', async (t) => {
  const { find, answers, made, asked } = lookups(t)
  for (let i = 0; i < 3; i++) find(`n${i}`)
  await made.close()
  assert.ok(asked.every(({ ended }) => ended))
  find('n4')
  assert.equal(asked.length, 2)
  assert.deepEqual(
    answers,
    [0, 1, 2, 4].map((i) => `K1 n${i} NAME_NOT_LOOKED_UP: the server stops`),
  )
})

test('of more than 256 answers, the oldest is forgotten', async (t) => {
  const { find, names, answer, pass } = lookups(t)
  for (let i = 0; i <= 256; i++) {
    find(`n${i}`, `K${i}`)
    await answer(`n${i}`)
    if (i % 4 === 3) await pass(100)
  }
  await pass(100)
  for (const i of [1, 256, 0]) find(`n${i}`)
  assert.deepEqual(names().slice(257), ['n0'])
})
