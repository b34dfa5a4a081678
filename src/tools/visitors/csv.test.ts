import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvField } from './csv.ts'

for (const [text, field] of [
  ['plain', 'plain'],
  ['a, b', '"a, b"'],
  ['say "a"', '"say ""a"""'],
  ['=1+1', `"'=1+1"`],
  ['-1', `"'-1"`],
  ['-', '-'],
  // Where decimals have a comma, spreadsheets split at semicolons, also within quotes that begin later.
  ['Mozilla/5.0 (X11;=1+1)', `"Mozilla/5.0 (X11;'=1+1)"`],
  ['a; @b', `"a; '@b"`],
  ['a; b', 'a; b'],
] as const)
  test(`in CSV: ${text}`, () => {
    assert.equal(csvField(text), field)
  })
