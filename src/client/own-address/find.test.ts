import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../../packet/address.ts'
import type { Answer } from './answer.ts'
import { agree } from './find.ts'
import { type Source, sourceName } from './services.ts'

const at = (text: string): Answer => {
  const address = parseAddress(text)
  assert.ok(address.ok)
  return { address: address.value }
}
const ours = at('203.0.113.7')
const other = at('198.51.100.9')
const third = at('198.51.100.10')
const fails: Answer = { problem: 'it does not answer in time' }
const source = (i: number): Source => ({ kind: 'web', host: `s${i}.example`, path: '/', secure: true })

/** @returns the outcome, and in which order the sources were asked. */
async function outcomeOf(answers: readonly Answer[]) {
  const asked: string[] = []
  const sources = answers.map((_, i) => source(i))
  const found = await agree(
    sources,
    async (one) => {
      asked.push(sourceName(one))
      return answers[sources.indexOf(one)] ?? fails
    },
    4,
  )
  return { found, asked: asked.length }
}

describe('the sources of the own address', () => {
  const table: readonly (readonly [string, readonly Answer[], string | undefined, number])[] = [
    ['two that agree are enough: no third is asked', [ours, ours, ours], '203.0.113.7', 2],
    ['a third is asked where one fails', [fails, ours, ours, ours], '203.0.113.7', 3],
    ['and where two disagree', [other, ours, ours, ours], '203.0.113.7', 3],
    ['one that lies is outvoted', [other, fails, ours, ours], '203.0.113.7', 4],
    ['three that disagree are not enough', [other, ours, third], undefined, 3],
    ['one that answers alone is not enough', [fails, ours, fails], undefined, 3],
    ['none answers', [fails, fails], undefined, 2],
    ['the only one that is asked decides', [ours], '203.0.113.7', 1],
    ['the only one fails', [fails], undefined, 1],
  ]
  for (const [name, answers, address, asked] of table)
    it(name, async () => {
      const outcome = await outcomeOf(answers)
      assert.equal(outcome.asked, asked)
      assert.equal(outcome.found.ok ? outcome.found.value.address : undefined, address)
      if (!outcome.found.ok) assert.equal(outcome.found.failure.code, 'OWN_ADDRESS_UNKNOWN')
    })

  it('a failure tells what each said', async () => {
    const { found } = await outcomeOf([other, ours, fails])
    assert.equal(
      found.ok || found.failure.detail,
      'over IPv4, no 2 services agree (https://s0.example/ says 198.51.100.9; https://s1.example/ says 203.0.113.7; https://s2.example/: it does not answer in time)',
    )
  })
  it('those that agree are told first', async () => {
    const { found } = await outcomeOf([other, ours, ours])
    assert.ok(found.ok)
    assert.deepEqual(
      found.value.said.map((it) => sourceName(it.source)),
      ['https://s1.example/', 'https://s2.example/', 'https://s0.example/'],
    )
  })
  it('no single source chooses an address, in any order of answers', async () => {
    const answer = fc.constantFrom(ours, other, third, fails)
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { minLength: 2, maxLength: 8 }), async (answers) => {
        const { found, asked } = await outcomeOf(answers)
        assert.ok(asked <= answers.length)
        if (!found.ok) return
        const { address } = found.value
        assert.ok(answers.filter((it) => 'address' in it && it.address === address).length >= 2)
      }),
    )
  })
})
