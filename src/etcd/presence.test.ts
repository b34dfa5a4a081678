import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parsePresence } from './presence.ts'

it('what a newer node says of itself is read as far as it is known', () => {
  const line = { version: '9.0.0', life: 840, at: 1_800_000_000, instance: 'abc' }
  const read = parsePresence('web-1', JSON.stringify({ ...line, colour: 'blue' }))
  assert.deepEqual(read, parsePresence('web-1', JSON.stringify(line)))
  assert.equal(read?.version, '9.0.0')
})
