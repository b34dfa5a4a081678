import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { MemoryLog } from '../../log.ts'
import { ShownRules } from './shown-rules.ts'

const grant = { verdict: 'granted', grant: 'tcp/22' }

test('after a grant the rules are shown, once for all grants that come while they are read', async () => {
  const log = new MemoryLog()
  const waiting: ((text: string | undefined) => void)[] = []
  const shown = new ShownRules(log, () => new Promise((resolve) => waiting.push(resolve)))
  shown.write('info', 'knock', grant)
  shown.write('info', 'knock', grant)
  shown.write('info', 'knock', grant)
  assert.equal(waiting.length, 1)
  waiting[0]?.('first\nlisting\n')
  await turn()
  assert.equal(waiting.length, 2)
  waiting[1]?.(undefined)
  await turn()
  assert.deepEqual(
    log.records.filter(({ event }) => event === 'rules').map(({ fields }) => fields['lines']),
    [['first', 'listing']],
  )
  assert.equal(log.records.filter(({ event }) => event === 'knock').length, 3)
})

test('a refusal, a command, and any other event show no rules', async () => {
  const shown = new ShownRules(new MemoryLog(), () => assert.fail('it was asked for rules'))
  shown.write('info', 'knock', { verdict: 'refused' })
  shown.write('info', 'knock', { verdict: 'granted', command: 'id' })
  shown.write('info', 'ready')
  await turn()
})
