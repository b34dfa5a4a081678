import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { after, beforeEach, describe, it, type TestContext } from 'node:test'
import { preferAsWarden, withoutPreference } from './priority.ts'

/** Some kernels have no groups of sessions. */
const hasGroups = existsSync('/proc/self/autogroup')
const inGroup = (niceness: number): number | null => (hasGroups ? niceness : null)
const group = (pid: number | 'self'): string =>
  hasGroups ? readFileSync(`/proc/${pid}/autogroup`, 'latin1').trim() : ''
const groupPriority = (pid: number): number | null => inGroup(Number(/nice (-?\d+)$/.exec(group(pid))?.[1]))

function waiting(t: TestContext, detached: boolean): number {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', detached })
  t.after(() => child.kill('SIGKILL'))
  assert.ok(child.pid !== undefined)
  return child.pid
}

/** What a process of its own says of its threads and its session, after it was made the warden. */
async function asWarden(t: TestContext, words: readonly string[]): Promise<unknown> {
  const program = `
    const { preferWarden } = await import('${new URL('./priority.ts', import.meta.url)}')
    const { getPriority } = await import('node:os')
    const { readdirSync, readFileSync, readlinkSync } = await import('node:fs')
    preferWarden()
    const all = readlinkSync('/proc/self') === String(process.pid) ? readdirSync('/proc/self/task') : [process.pid]
    const threads = all.map((thread) => getPriority(Number(thread)))
    const group = ${hasGroups} ? Number(/nice (.*)/.exec(readFileSync('/proc/self/autogroup', 'latin1'))[1]) : null
    console.log(JSON.stringify({ threads: [...new Set(threads)], group }))`
  const [file, ...args] = [...words, process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e']
  const child: ChildProcess = spawn(file ?? '', [...args, program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout?.on('data', (part) => {
    text += part
  })
  await once(child, 'close')
  return JSON.parse(text)
}

/** Whether the kernel lets us have a higher priority. */
function mayPrefer(): boolean {
  const before = getPriority()
  try {
    setPriority(-1)
    setPriority(before)
    return true
  } catch {
    return false
  }
}

const skip = !mayPrefer() && 'a higher priority needs root'

describe('the priority of a process that a knock waits for', { skip }, () => {
  const before = getPriority()
  beforeEach(() => setPriority(-10))
  after(() => setPriority(before))

  it('is the warden’s, and counts in a session of its own too', (t) => {
    const pid = waiting(t, true)
    preferAsWarden(pid)
    assert.deepEqual([getPriority(pid), groupPriority(pid)], [-10, inGroup(-10)])
  })

  it('is not given to the session of others', (t) => {
    const before = group('self')
    preferAsWarden(waiting(t, false))
    assert.equal(group('self'), before)
  })

  it('is not given to anybody for a process that did not start, or is gone', async () => {
    preferAsWarden(undefined)
    const child = spawn('true', { stdio: 'ignore' })
    await once(child, 'exit')
    preferAsWarden(child.pid)
    withoutPreference(child.pid)
    assert.equal(getPriority(), -10)
  })

  it('is normal where the warden’s is', (t) => {
    setPriority(0)
    const pid = waiting(t, true)
    preferAsWarden(pid)
    assert.deepEqual([getPriority(pid), groupPriority(pid)], [0, inGroup(0)])
  })

  it('is not left to other programs that the warden starts', (t) => {
    for (const [given, expected] of [
      [-10, 0],
      [4, 4],
    ] as const) {
      setPriority(given)
      const pid = waiting(t, true)
      withoutPreference(pid)
      assert.equal(getPriority(pid), expected)
    }
  })

  for (const [started, words, expected] of [
    ['with none', [], { threads: [-10], group: inGroup(-10) }],
    ['with a higher one', ['nice', '-n', '-3'], { threads: [-3], group: inGroup(-3) }],
    ['with a lower one, as somebody wanted it', ['nice', '-n', '4'], { threads: [4], group: inGroup(0) }],
    ['without the privilege', ['setpriv', '--reuid', '65534', '--clear-groups'], { threads: [0], group: inGroup(0) }],
  ] as const)
    it(`of a warden that is started ${started} is for all its threads`, async (t) => {
      setPriority(0)
      assert.deepEqual(await asWarden(t, words), expected)
    })

  it('is given to nobody else where the numbers in /proc are those of other processes', async (t) => {
    setPriority(0)
    const [ours, first] = [group('self'), group(1)]
    // The inner process has the number 1, or 2, of its own namespace.
    const said = await asWarden(t, ['unshare', '--pid', '--fork', '--kill-child'])
    assert.deepEqual(said, { threads: [-10], group: inGroup(0) })
    assert.deepEqual([group('self'), group(1)], [ours, first])
  })
})
