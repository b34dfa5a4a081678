import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'

/** What a process of its own prints. */
function run(program: string): unknown {
  const url = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href)
  const text = `
    import { returnMemory } from ${url('return-memory.ts')}
    import { libc } from ${url('libc.ts')}
    ${program}`
  const node = [process.execPath, '--input-type=module', '-e', text] as const
  const { stdout, stderr, status } = spawnSync(node[0], node.slice(1), { encoding: 'utf8', timeout: 60_000 })
  assert.deepEqual([stderr, status], ['', 0])
  return JSON.parse(stdout)
}

it('gives back what V8 and the C library no longer use', () => {
  const { before, after, collector } = run(`
    if (${JSON.stringify(process.platform)} === 'linux') libc()
    let kept = Array.from({ length: 300_000 }, (_, i) => ({ i }))
    kept = kept.length
    const before = process.memoryUsage().heapTotal
    returnMemory()
    const after = process.memoryUsage().heapTotal
    console.log(JSON.stringify({ before, after, collector: typeof globalThis.gc }))`) as {
    before: number
    after: number
    collector: string
  }
  assert.ok(after < before - 5_000_000, `${before} → ${after}`)
  // What runs later must not be able to call it.
  assert.equal(collector, 'undefined')
})

it('works without the C library', () => {
  assert.equal(run('returnMemory(); console.log(true)'), true)
})
