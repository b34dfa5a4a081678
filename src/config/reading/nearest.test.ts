import assert from 'node:assert/strict'
import { it } from 'node:test'
import { nearest } from './nearest.ts'

const words = ['SOURCE', 'OPEN_PORTS', 'RESTRICT_PORTS', 'KEY', 'KEY_BASE64', 'HMAC_KEY', 'HMAC_KEY_BASE64']

const cases: [string, string | undefined][] = [
  ['OPEN_PORT', 'OPEN_PORTS'],
  ['open_ports', 'OPEN_PORTS'],
  ['OEPN_PORTS', 'OPEN_PORTS'],
  ['HMACKEY', 'HMAC_KEY'],
  ['KEYS', 'KEY'],
  ['KEY_BASE46', 'KEY_BASE64'],
  ['RESTRICT', 'RESTRICT_PORTS'],
  ['', undefined],
  ['FIREWALL', undefined],
]
it('a word of any length takes no time', { timeout: 5_000 }, () => {
  assert.equal(nearest('A'.repeat(50_000_000), words), undefined)
})

for (const [word, meant] of cases)
  it(`${word || '(nothing)'} → ${meant ?? 'no word is near'}`, () => assert.equal(nearest(word, words), meant))
