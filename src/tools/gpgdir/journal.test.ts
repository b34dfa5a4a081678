import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJournal } from './journal.ts'

const IDENTITY = { inode: '1', size: '2', modified: '3' }
const LINE = { folder: 'a/b', source: 'one', target: 'one.gpg', before: IDENTITY, after: IDENTITY }

test('lines that were cut off, and lines that lead elsewhere, are left out', () => {
  const text = JSON.stringify(LINE)
  for (const [what, lines, count] of [
    ['a whole line', text, 1],
    ['two', `${text}\n\n${text}\n`, 2],
    ['cut off, and a line after it', `${text.slice(0, 50)}\n${text}\n`, 1],
    ['a folder above', JSON.stringify({ ...LINE, folder: '../x' }), 0],
    ['an absolute folder', JSON.stringify({ ...LINE, folder: '/etc' }), 0],
    ['a path as a name', JSON.stringify({ ...LINE, source: 'a/b' }), 0],
    ['no identity', JSON.stringify({ ...LINE, before: {} }), 0],
    ['a number that is none', JSON.stringify({ ...LINE, after: { ...IDENTITY, inode: 'x' } }), 0],
    ['another value', '[1]\nnull\n"x"\n', 0],
  ] as const)
    assert.equal(parseJournal(lines).length, count, what)
})

test('no text makes it throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseJournal(text)))
})
