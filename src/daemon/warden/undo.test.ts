import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { refuse } from '../../result.ts'
import { Undo } from './undo.ts'

test('what was opened is closed again, the last first, each once, one after the other', async () => {
  const undo = new Undo()
  const closed: string[] = []
  undo.add(() => closed.push('sockets'))
  undo.add(async () => {
    await setImmediate()
    closed.push('receiver')
  })
  undo.add(() => closed.push('firewall'))
  const refused = refuse('FIREWALL_REFUSED', 'no')
  assert.equal(await undo.after(refused), refused)
  assert.deepEqual(closed, ['firewall', 'receiver', 'sockets'])
  await undo.after(refused)
  assert.equal(closed.length, 3)
})
