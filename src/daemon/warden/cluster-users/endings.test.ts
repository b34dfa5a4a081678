/** What removed users have open ends beside the next change, and again where that can help. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parseStanzaName, type StanzaName } from '../../../access/stanza-name.ts'
import { MemoryLog } from '../../../log.ts'
import { milliseconds } from '../../../units.ts'
import { type Ended, Endings } from './endings.ts'

function name(text: string): StanzaName {
  const parsed = parseStanzaName(text)
  assert.ok(parsed.ok)
  return parsed.value
}

const [ada, bob] = [name('ada'), name('bob')]

function endings(t: TestContext) {
  const log = new MemoryLog()
  const calls: { users: string; answer: (ended: Ended) => void }[] = []
  const state = { none: 0 }
  const made = new Endings({
    end: (node, users) => new Promise((answer) => calls.push({ users: `${node}: ${users.join()}`, answer })),
    onNone: () => state.none++,
    ...{ log, again: milliseconds(20) },
  })
  t.after(() => made.close())
  const asked = () => calls.map(({ users }) => users)
  const told = () => log.records.map(({ fields }) => fields['detail'])
  /** Waits until so many were asked for. */
  const until = async (count: number): Promise<void> => {
    for (let i = 0; i < 500 && calls.length < count; i++) await delay(5)
    assert.equal(calls.length, count)
  }
  return { made, calls, state, asked, told, until }
}

describe('what removed users have open', () => {
  it('ends beside that of the change before; who waits for the later one waits for both', async (t) => {
    const { made, calls, asked, state } = endings(t)
    void made.end('web-1', [ada])
    let isDone = false
    const done = made.end('web-2', [bob]).then(() => {
      isDone = true
    })
    assert.deepEqual(asked(), ['web-1: ada', 'web-2: bob'])
    assert.deepEqual(made.left, ['ada', 'bob'])
    calls[1]?.answer({})
    await delay(5)
    assert.deepEqual([isDone, made.left, state.none], [false, ['ada'], 0])
    calls[0]?.answer({})
    await done
    assert.deepEqual([isDone, made.left, state.none], [true, [], 1])
    await made.end('web-1', [])
    assert.equal(calls.length, 2)
  })

  it('is told where it may be open still, and is ended again until it has ended', async (t) => {
    const { made, calls, until, told, asked } = endings(t)
    const done = made.end('web-1', [ada, bob])
    calls[0]?.answer({ problem: 'the firewall refuses', again: true })
    await done
    assert.deepEqual(made.left, ['ada', 'bob'])
    await until(2)
    calls[1]?.answer({ problem: 'the firewall refuses', again: true })
    await until(3)
    calls[2]?.answer({})
    await delay(50)
    assert.deepEqual([made.left, asked().at(-1), calls.length], [[], 'web-1: ada,bob', 3])
    assert.deepEqual(told(), ['what ada, bob had open may be open still: the firewall refuses; it is tried again'])
  })

  it('is told once, with what to do, where another try cannot help', async (t) => {
    const { made, calls, told } = endings(t)
    const done = made.end(
      'web-1',
      ['a1', 'a2', 'a3', 'a4', 'a5'].map((text) => name(text)),
    )
    calls[0]?.answer({ problem: 'not confirmed as closed at web-2' })
    await done
    await delay(50)
    assert.deepEqual([made.left, calls.length], [[], 1])
    assert.deepEqual(told(), [
      'what a1, a2, a3 and 2 others had open may be open still: not confirmed as closed at web-2; ' +
        '“ghostport status” shows what is open, “ghostport revoke NAME” ends it',
    ])
  })

  it('of a user who was removed again meanwhile ends by the later change only', async (t) => {
    const { made, calls, until, asked } = endings(t)
    void made.end('web-1', [ada])
    void made.end('web-2', [ada])
    calls[0]?.answer({ problem: 'no', again: true })
    await delay(50)
    assert.deepEqual([made.left, calls.length], [['ada'], 2])
    calls[1]?.answer({ problem: 'no', again: true })
    await until(3)
    assert.equal(asked()[2], 'web-2: ada')
    calls[2]?.answer({})
    await delay(5)
    assert.deepEqual(made.left, [])
  })
})
