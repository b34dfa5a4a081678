import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, test } from 'node:test'
import { markOf } from './process-mark.ts'
import { makeWorkFolder, removeWorkFolder, setOwners, sweepWorkFolders } from './work-folder.ts'

const systemTemporary = tmpdir()
const tellers: ChildProcess[] = []
let temporary: string

// tmpdir() asks the environment each time.
beforeEach(() => {
  temporary = mkdtempSync(join(systemTemporary, 'ghostport-work-test-'))
  process.env['TMPDIR'] = temporary
})
afterEach(() => rmSync(temporary, { recursive: true, force: true }))
after(() => {
  process.env['TMPDIR'] = systemTemporary
  for (const teller of tellers) teller.kill('SIGKILL')
})

/** A process that has made its folder, and goes on. */
async function startTeller(): Promise<{ teller: ChildProcess; work: string }> {
  const module = join(import.meta.dirname, 'work-folder.ts')
  const script = `const { makeWorkFolder } = await import(${JSON.stringify(module)})
    console.log(makeWorkFolder())
    setInterval(() => {}, 1000)`
  const teller = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  tellers.push(teller)
  const [line] = await once(teller.stdout as NodeJS.ReadableStream, 'data')
  return { teller, work: String(line).trim() }
}

test('what a killed story left is removed by the next one, and the folder of one that lives is not', async () => {
  const [killed, living] = [await startTeller(), await startTeller()]
  killed.teller.kill('SIGKILL')
  await once(killed.teller, 'exit')
  sweepWorkFolders(undefined)
  assert.equal(existsSync(killed.work), false)
  assert.equal(existsSync(living.work), true)
})

test('only the folders of stories are looked at, and only those that say whose they are', () => {
  for (const name of ['ghostport-story-of-somebody', 'ghostport-test-1', 'else']) mkdirSync(join(temporary, name))
  writeFileSync(join(temporary, 'ghostport-story-file'), '')
  const before = readdirSync(temporary)
  sweepWorkFolders(undefined)
  assert.deepEqual(readdirSync(temporary), before)
})

const gone = { ...markOf(process.pid), startedAt: '1' }
for (const { name, owners, stays } of [
  { name: 'a number that was given to another process since is no owner', owners: [gone], stays: false },
  { name: 'one living owner is enough', owners: [gone, markOf(process.pid)], stays: true },
  {
    name: 'who lives in another process namespace is not known to be gone',
    owners: [{ ...gone, namespace: 'pid:[1]' }],
    stays: true,
  },
])
  test(name, () => {
    const work = makeWorkFolder()
    setOwners(work, owners)
    sweepWorkFolders(undefined)
    assert.equal(existsSync(work), stays)
  })

test('the folder of kept hosts stays, though they may all have ended', () => {
  const work = makeWorkFolder()
  setOwners(work, [gone])
  sweepWorkFolders(work)
  assert.equal(existsSync(work), true)
  removeWorkFolder(work)
  assert.equal(existsSync(work), false)
})
