import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canBeMapped, extendNameMap, formatNameMap, parseNameMap } from './name-map.ts'

const NONE: ReadonlySet<string> = new Set()

for (const [what, text, kind, expected] of [
  ['a line for each file', 'one gpgdir_1.gpg\ntwo gpgdir_2.gpg\n', 'files', ['one', 'two']],
  ['real names with spaces', 'a b  c gpgdir_1.gpg\n', 'files', ['a b  c']],
  ['names of gpgdir before 1.9.6', 'one gpgdir_4711_1.gpg\n', 'files', ['one']],
  ['folders', 'one gpgdir_d1\n', 'folders', ['one']],
  ['a name that leads elsewhere', '../one gpgdir_1.gpg\n/etc/passwd gpgdir_2.gpg\n.. gpgdir_3.gpg\n', 'files', []],
  ['an obfuscated name that is none', 'one /etc/passwd\ntwo gpgdir_d1\nthree gpgdir_x.gpg\n', 'files', []],
  ['no line at all', 'gpgdir_1.gpg', 'files', []],
] as const)
  test(`a map is read: ${what}`, () => {
    assert.deepEqual([...parseNameMap(text, kind).keys()], expected)
  })

test('new names get the lowest free number, and old ones keep theirs', () => {
  const map = extendNameMap(new Map([['old', 'gpgdir_2.gpg']]), ['a', 'old', 'b'], 'files', new Set(['gpgdir_1.gpg']))
  assert.deepEqual(
    [...map],
    [
      ['old', 'gpgdir_2.gpg'],
      ['a', 'gpgdir_3.gpg'],
      ['b', 'gpgdir_4.gpg'],
    ],
  )
})

const names = fc.array(fc.string({ minLength: 1, unit: 'binary' }).filter(canBeMapped))

test('what is written is read back, for all names', () => {
  fc.assert(
    fc.property(names, fc.constantFrom('files', 'folders'), (all, kind) => {
      const map = extendNameMap(new Map(), all, kind, NONE)
      assert.deepEqual(parseNameMap(formatNameMap(map), kind), map)
      assert.equal(new Set(map.values()).size, new Set(all).size)
    }),
  )
})

test('no text makes the reader throw, or name anything outside of the folder', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const real of parseNameMap(text, 'files').keys()) assert.doesNotMatch(real, /\/|^\.{1,2}$/)
    }),
  )
})
