import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { StateLines } from './state-lines.ts'

interface Told {
  readonly line: string
  readonly leftOut?: number
}

function lines(): { readonly told: Told[]; readonly state: StateLines<string> } {
  const told: Told[] = []
  return { told, state: new StateLines({ perSecond: 20, burst: 2 }, (line, more) => told.push({ line, ...more })) }
}

async function until(told: readonly unknown[], count: number): Promise<void> {
  for (let waited = 0; told.length < count && waited < 10_000; waited += 10) await delay(10)
}

describe('lines about one state', () => {
  it('are told at once while they are few', () => {
    const { told, state } = lines()
    for (const line of ['a', 'b']) state.tell(line)
    assert.deepEqual(told, [{ line: 'a' }, { line: 'b' }])
  })

  it('end with the newest, and with the count of those that were left out', async () => {
    const { told, state } = lines()
    for (const line of ['a', 'b', 'c', 'd', 'e']) state.tell(line)
    assert.equal(told.length, 2)
    await until(told, 3)
    assert.deepEqual(told.slice(2), [{ line: 'e', leftOut: 2 }])
    await delay(150)
    assert.equal(told.length, 3)
    state.tell('f')
    assert.deepEqual(told.at(-1), { line: 'f' })
  })

  it('do not tell later what is not so any more', async () => {
    const { told, state } = lines()
    for (const line of ['a', 'b', 'c']) state.tell(line)
    state.forget()
    await delay(150)
    assert.equal(told.length, 2)
    state.tell('d')
    assert.deepEqual(told.at(-1), { line: 'd', leftOut: 1 })
  })
})
