import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { strictnessRules } from './strictness.ts'

const WIRE = readFileSync(new URL('../../docs/WIRE.md', import.meta.url), 'utf8')
const documented = [
  ...WIRE.slice(WIRE.indexOf('\n## 14.'), WIRE.indexOf('\n## 15.')).matchAll(/^\| `([a-z0-9-]+)` *\|/gm),
]

test('docs/WIRE.md § 14 has the rules that there are', () => {
  assert.deepEqual(
    documented.map(([, rule]) => rule),
    Object.keys(strictnessRules),
  )
})

for (const [rule, { checkedIn }] of Object.entries(strictnessRules)) {
  test(`${rule} is checked in ${checkedIn}`, () => {
    const file = new URL(`../${checkedIn}`, import.meta.url)
    assert.ok(existsSync(file))
    assert.ok(readFileSync(file, 'utf8').includes(`'${rule}'`), rule)
  })
}
