/** docs/CLIENT.md names every service that is asked for the own address, in the order in which they are asked. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DEFAULT_SERVICES, sourceName, sourcesFor } from '../../src/client/own-address/services.ts'

test('each service that is built in is told of, and no other', () => {
  const text = readFileSync(new URL('../../docs/CLIENT.md', import.meta.url), 'utf8')
  const told = [...text.matchAll(/^\| `(https:\/\/[^`]+)` \| .+ \|$/gm)].map(([, url]) => url)
  const sources = sourcesFor({})
  assert.ok(sources.ok && DEFAULT_SERVICES.length > 2)
  assert.deepEqual(told, sources.value.map(sourceName))
})
