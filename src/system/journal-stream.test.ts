import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { journalPrefix } from './journal-stream.ts'

const stream = (descriptor: number) => {
  const { dev, ino } = fstatSync(descriptor, { bigint: true })
  return `${dev}:${ino}`
}

test('lines for the journal begin with their priority', () => {
  const descriptor = openSync('/dev/null', 'w')
  const prefix = journalPrefix(descriptor, { JOURNAL_STREAM: stream(descriptor) })
  assert.deepEqual((['error', 'warning', 'info'] as const).map(prefix), ['<3>', '<4>', '<6>'])
  closeSync(descriptor)
})

test('lines for anything else do not', () => {
  const descriptor = openSync('/dev/null', 'w')
  const { ino } = fstatSync(descriptor)
  for (const name of [undefined, '', `${ino}`, `0:${ino}`, stream(0).replace(/:.*/, ':1')])
    assert.equal(journalPrefix(descriptor, name === undefined ? {} : { JOURNAL_STREAM: name })('error'), '')
  closeSync(descriptor)
  assert.equal(journalPrefix(descriptor, { JOURNAL_STREAM: '8:1' })('error'), '', 'a closed descriptor')
})
