import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

/** Bits of what V8 tells of a function. */
const MAGLEV = 1 << 5
const TURBOFAN = 1 << 6

/**
 * What becomes of a function that is called for half a second, and of the space for what dies young, in a process of
 * its own.
 *
 * @param awaited bits of what becomes of it: then up to ten seconds, if none of them is seen. A busy machine compiles
 * late.
 */
function measure(first: string, awaited = 0): { readonly code: number; readonly newSpace: number } {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { staySmall } from ${JSON.stringify(new URL('stay-small.ts', import.meta.url).href)}
    ${first}
    function hot(n) { return { n, next: { n: n + 1 } } }
    const kept = []
    let seen = 0
    const ran = () => performance.now() - begun
    const begun = performance.now()
    while (ran() < 500 || (${awaited} !== 0 && (seen & ${awaited}) === 0 && ran() < 10_000))
      for (let i = 0; i < 1000; i++) {
        kept[i % 5000] = hot(i)
        if (i === 0) seen |= %GetOptimizationStatus(hot)
      }
    const { space_size: newSpace } = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
    console.log(JSON.stringify({ code: seen, newSpace }))`
  const node = [process.execPath, '--allow-natives-syntax', '--input-type=module', '-e', program] as const
  const { stdout, stderr, status } = spawnSync(node[0], node.slice(1), { encoding: 'utf8', timeout: 60_000 })
  // V8 lists unknown bits there.
  assert.deepEqual([stderr, status], ['', 0])
  return JSON.parse(stdout)
}

describe('V8', () => {
  it('by default makes machine code of what runs often, and room for what dies young', () => {
    const { code, newSpace } = measure('', TURBOFAN | MAGLEV)
    assert.notEqual(code & (TURBOFAN | MAGLEV), 0)
    assert.ok(newSpace > 2 * 1024 * 1024, String(newSpace))
  })
  it('does neither in the warden', () => {
    const { code, newSpace } = measure(`staySmall('warden')`)
    assert.equal(code & (TURBOFAN | MAGLEV), 0)
    assert.ok(newSpace <= 2 * 1024 * 1024, String(newSpace))
  })
  it('makes the best machine code in the receiver, and no other', () => {
    const { code } = measure(`staySmall('receiver')`, TURBOFAN | MAGLEV)
    assert.equal(code & (TURBOFAN | MAGLEV), TURBOFAN)
  })
})
