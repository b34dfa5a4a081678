import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitsPattern, isPattern } from './name-pattern.ts'

for (const [pattern, fits, fitsNot] of [
  ['web-*', ['web-', 'web-1', 'WEB-12', 'web-*'], ['web', 'aweb-1']],
  ['db-?', ['db-1', 'DB-x'], ['db-', 'db-12']],
  ['*', ['', 'a', 'a.b'], []],
  ['*.berlin', ['db.berlin', '.berlin'], ['berlin', 'db.berlin.x']],
  ['a*b*c', ['abc', 'aXbYc', 'abcbc'], ['ab', 'acb', 'abcd']],
  ['web-1', ['web-1'], ['web-11', 'web.1']],
  ['', [''], ['a']],
] as const)
  test(`the pattern “${pattern}”`, () => {
    for (const name of fits) assert.ok(fitsPattern(pattern, name), name)
    for (const name of fitsNot) assert.ok(!fitsPattern(pattern, name), name)
  })

test('a name is no pattern, and fits itself', () => {
  assert.deepEqual(['web-1', 'web-*', 'd?'].map(isPattern), [false, true, true])
  fc.assert(
    fc.property(fc.string(), (name) => {
      assert.ok(fitsPattern(name, name))
      assert.ok(fitsPattern(`*${name}*`, name))
    }),
  )
})

test('many stars take no time', () => {
  assert.ok(!fitsPattern('*a'.repeat(200), 'a'.repeat(150)))
})
