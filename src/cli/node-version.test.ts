import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { nodeIsTooOld, OLDEST_NODE } from './node-version.ts'

for (const { version, works } of [
  { version: '18.19.0', works: false },
  { version: '20.20.2', works: false },
  { version: '22.12.0', works: false },
  { version: '22.13.0', works: true },
  { version: '22.9.0', works: false },
  { version: '24.0.0', works: true },
  { version: '100.1.0-nightly', works: true },
])
  test(`Node.js ${version} ${works ? 'runs' : 'does not run'} ghostport`, () => {
    const expected = works ? undefined : `ghostport needs Node.js 22.13 or newer; this is ${version}`
    assert.equal(nodeIsTooOld(version), expected)
  })

test('the package asks for the same', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  assert.equal(manifest.engines.node, `>=${OLDEST_NODE.major}.${OLDEST_NODE.minor}`)
})
