import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { preferProcess, withoutPreference } from './priority.ts'

const OWN = '/proc/self/autogroup'
const group = (pid: number | 'self'): string => readFileSync(`/proc/${pid}/autogroup`, 'latin1').trim()
const groupPriority = (pid: number): number => Number(/nice (-?\d+)$/.exec(group(pid))?.[1])

function waiting(t: TestContext, detached: boolean): number {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', detached })
  t.after(() => child.kill('SIGKILL'))
  assert.ok(child.pid !== undefined)
  return child.pid
}

/** What a program prints that calls this module in a process of its own, started in this way. */
async function printed(t: TestContext, words: readonly string[], detached = false): Promise<string> {
  const program = `
    const { preferWarden } = await import('${new URL('./priority.ts', import.meta.url)}')
    const { getPriority } = await import('node:os')
    const { readFileSync } = await import('node:fs')
    preferWarden()
    console.log(getPriority(), /nice (.*)/.exec(readFileSync('/proc/self/autogroup', 'latin1'))?.[1])`
  const [file, ...args] = [...words, process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e']
  const child: ChildProcess = spawn(file ?? '', [...args, program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached,
  })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout?.on('data', (part) => {
    text += part
  })
  await once(child, 'close')
  return text.trim()
}

// A lower value needs root.
const skip = process.getuid?.() !== 0 || !existsSync(OWN)

describe('the priority of a process that a knock waits for', { skip }, () => {
  it('counts in its own session too', (t) => {
    const pid = waiting(t, true)
    preferProcess(pid)
    assert.deepEqual([getPriority(pid), groupPriority(pid)], [-10, -10])
  })

  it('is not given to the session of others', (t) => {
    const before = group('self')
    const pid = waiting(t, false)
    preferProcess(pid)
    assert.deepEqual([getPriority(pid), group('self')], [-10, before])
  })

  it('is not that of a process that did not start, or is gone', async () => {
    preferProcess(undefined)
    const child = spawn('true', { stdio: 'ignore' })
    await once(child, 'exit')
    preferProcess(child.pid)
    assert.equal(getPriority(), 0)
  })

  it('is not left to other programs that the warden starts', (t) => {
    for (const [before, after] of [
      [-10, 0],
      [4, 4],
    ] as const) {
      const pid = waiting(t, true)
      setPriority(pid, before)
      withoutPreference(pid)
      assert.equal(getPriority(pid), after)
    }
  })

  for (const [started, words, expected] of [
    ['with none', [], '-10 -10'],
    ['with a higher one', ['nice', '-n', '-3'], '-3 -3'],
    ['with a lower one, as somebody wanted it', ['nice', '-n', '4'], '4 0'],
    ['without the privilege', ['setpriv', '--reuid', '65534', '--clear-groups'], '0 0'],
  ] as const)
    it(`of a warden that is started ${started} is ${expected.split(' ')[0]}`, async (t) => {
      assert.equal(await printed(t, words, true), expected)
    })
})
