import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ok, refuse } from '../../result.ts'
import { type ConfigFiles, filesFromSnapshot, recordFiles } from './config-files.ts'

test('what was read once is answered the same from the snapshot, failures too, and nothing else is known', () => {
  let reads = 0
  const disk: ConfigFiles = {
    read: (path) => {
      reads++
      return path === 'a' ? ok('text') : refuse('CONFIG_EXPOSED', `${path} is open to all`)
    },
    // The file of keys may be another user's: one path, two answers.
    readKeys: (path) => (path === 'a' ? refuse('CONFIG_UNREADABLE', 'a is too large') : ok('keys')),
    list: () => ok(['a', 'b']),
  }
  const recorder = recordFiles(disk)
  const asked = (files: ConfigFiles) => [
    files.read('a'),
    files.read('a'),
    files.read('b'),
    files.list('d'),
    files.readKeys('a'),
    files.readKeys('b'),
  ]
  const first = asked(recorder)
  assert.equal(reads, 2)
  const snapshot = filesFromSnapshot(JSON.parse(JSON.stringify(recorder.snapshot())))
  assert.deepEqual(asked(snapshot), first)
  for (const other of ['c', 'toString', '__proto__']) {
    const answer = snapshot.read(other)
    assert(!answer.ok && answer.failure.code === 'CONFIG_UNREADABLE')
  }
})
