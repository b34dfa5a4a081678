import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

/** Bits of what V8 tells of a function. */
const MAGLEV = 1 << 5
const TURBOFAN = 1 << 6
/** Some versions of Node.js have no Maglev. */
const hasMaglev = Number(process.versions.node.split('.')[0]) >= 24
const MODULE = JSON.stringify(new URL('v8-options.ts', import.meta.url).href)

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
    import { setV8Options } from ${MODULE}
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
  return JSON.parse(printedBy(program))
}

/** @returns whether V8 makes machine code of a function that is called 100 times at intervals. In its own process. */
function isCompiledSoon(first: string): boolean {
  const program = `
    import { setTimeout as delay } from 'node:timers/promises'
    import { setV8Options } from ${MODULE}
    ${first}
    function seldom(n) { return { sum: (n * 31) % 7, next: n + 1 } }
    let seen = 0
    for (let i = 0; i < 100; i++) {
      seldom(i)
      seen |= %GetOptimizationStatus(seldom)
      await delay(5)
    }
    console.log(seen)`
  return (Number(printedBy(program)) & (MAGLEV | TURBOFAN)) !== 0
}

function printedBy(program: string): string {
  const options = ['--allow-natives-syntax', '--input-type=module', '-e', program]
  const { stdout, stderr, status } = spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 60_000 })
  // V8 lists options there that it does not know.
  assert.deepEqual([stderr, status], ['', 0])
  return stdout
}

describe('V8', () => {
  it('by default makes machine code of what runs often, and room for what dies young', () => {
    const { code, newSpace } = measure('', TURBOFAN | MAGLEV)
    assert.notEqual(code & (TURBOFAN | MAGLEV), 0)
    assert.ok(newSpace > 2 * 1024 * 1024, String(newSpace))
  })
  it('does neither in the warden', () => {
    const { code, newSpace } = measure(`setV8Options('warden')`)
    assert.equal(code & (TURBOFAN | MAGLEV), 0)
    assert.ok(newSpace <= 2 * 1024 * 1024, String(newSpace))
  })
  it('makes the best machine code in the receiver, and no other', () => {
    const { code } = measure(`setV8Options('receiver')`, TURBOFAN | MAGLEV)
    assert.equal(code & (TURBOFAN | MAGLEV), TURBOFAN)
  })
  it('by default makes none in time of what is called seldom', () => assert.equal(isCompiledSoon(''), false))
  it('makes it after some calls in the cluster process', { skip: !hasMaglev && 'this Node.js has no Maglev' }, () =>
    assert.equal(isCompiledSoon(`setV8Options('cluster')`), true),
  )
})
