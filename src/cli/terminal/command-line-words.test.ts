import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exactWords } from './command-line-words.ts'

const line = (...words: string[]): Uint8Array => Buffer.from(words.map((word) => `${word}\0`).join(''), 'latin1')

test('words are the bytes of the command line, as many as Node gives from its end', () => {
  const words = exactWords(['-a', 'gr\ufffd\ufffde'], line('node', 'script', '-a', 'gr\xfc\xdfe'))
  assert.deepEqual(words, ['-a', 'gr\udcfc\udcdfe'])
})

test('an empty word counts', () => {
  assert.deepEqual(exactWords(['', '\ufffd', ''], line('node', '', '\xfc', '')), ['', '\udcfc', ''])
})

test('a command line that is not ours is not believed', () => {
  assert.equal(exactWords(['\ufffd'], line('node', 'x')), undefined)
  assert.equal(exactWords(['\ufffd', '\ufffd'], line('\xfc')), undefined)
  assert.equal(exactWords(['\ufffd'], line()), undefined)
})
