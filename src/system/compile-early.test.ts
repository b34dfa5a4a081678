import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

/** Bits of what V8 tells of a function. */
const [MAGLEV, TURBOFAN] = [1 << 5, 1 << 6]
/** Some versions of Node.js have no Maglev. */
const hasMaglev = Number(process.versions.node.split('.')[0]) >= 24

/** @returns whether V8 makes machine code of a function that is called 100 times at intervals. In its own process. */
function isCompiled(first: string): boolean {
  const program = `
    import { setTimeout as delay } from 'node:timers/promises'
    import { compileEarly } from ${JSON.stringify(new URL('compile-early.ts', import.meta.url).href)}
    ${first}
    function seldom(n) { return { sum: (n * 31) % 7, next: n + 1 } }
    let seen = 0
    for (let i = 0; i < 100; i++) {
      seldom(i)
      seen |= %GetOptimizationStatus(seldom)
      await delay(5)
    }
    console.log(seen)`
  const options = ['--allow-natives-syntax', '--input-type=module', '-e', program]
  const { stdout, stderr, status } = spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 60_000 })
  // V8 lists options that it does not know there.
  assert.deepEqual([stderr, status], ['', 0])
  return (Number(stdout) & (MAGLEV | TURBOFAN)) !== 0
}

describe('a function that is called seldom', () => {
  it('is not compiled in time by the defaults of V8', () => assert.equal(isCompiled(''), false))
  it('is compiled after some calls', { skip: !hasMaglev && 'this Node.js has no Maglev' }, () =>
    assert.equal(isCompiled('compileEarly()'), true),
  )
})
