import assert from 'node:assert/strict'
import { test } from 'node:test'
import { milliseconds } from '../../units.ts'
import { LineBudget } from './line-budget.ts'

const context = {
  places: { access: 'i', forward: 'f', dnat: 'd', snat: 's', masquerade: 'm' },
  now: 1000,
  filter: undefined,
  packetLimit: undefined,
}
const tried = Array.from({ length: 8 }, (_, i) => ({ stanza: i + 1, code: 'SPA_HMAC_MISMATCH' }))
const refusal = { verdict: 'refused', source: '1.2.3.4', code: 'SPA_HMAC_MISMATCH', detail: '', tried }

test('a few refusals tell of each stanza; a flood of them, of the first one only', () => {
  const budget = new LineBudget(10, milliseconds(0))
  const counts = Array.from({ length: 20 }, () => {
    const lines = budget.linesOf('warning', 'refused', refusal, context, milliseconds(0))
    // What filters of the log read is there for each packet.
    assert.equal(lines.filter(({ text }) => text.includes('SPA Packet from IP: 1.2.3.4')).length * 2, lines.length)
    assert.ok(lines.some(({ text }) => text.startsWith('[1.2.3.4] (stanza #1) Error creating fko context: ')))
    return lines.length
  })
  assert.deepEqual(counts.slice(0, 3), [16, 16, 16])
  assert.ok(
    counts.slice(3).every((count) => count === 2),
    `${counts}`,
  )
  const later = budget.linesOf('warning', 'refused', refusal, context, milliseconds(5000))
  assert.equal(later.length, 16)
})

test('grants are never cut', () => {
  const budget = new LineBudget(1, milliseconds(0))
  const granted = {
    verdict: 'granted',
    source: '1.2.3.4',
    for: '1.2.3.4',
    stanza: 1,
    lifetime: 30,
    grant: 'tcp/22,tcp/23',
  }
  for (let i = 0; i < 50; i++)
    assert.equal(budget.linesOf('info', 'knock', granted, context, milliseconds(0)).length, 3)
})
