import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { test } from 'node:test'
import { RestartedReceiver } from './restarted-receiver.ts'

/** A child that runs `script` with its end of the channel as descriptor 4. */
function starter(script: string) {
  return () => {
    const stdio = ['ignore', 'ignore', 'pipe', 'ignore', 'pipe'] as const
    const child = spawn(process.execPath, ['-e', script], { stdio: [...stdio], detached: true })
    return { child, channel: child.stdio[4] as unknown as Duplex, errors: child.stdio[2] as Readable }
  }
}

function next(): { wait: (what: string) => Promise<void>; told: (what: string) => void } {
  const told: string[] = []
  const waiting = new Map<string, () => void>()
  return {
    told: (what) => {
      told.push(what)
      waiting.get(what)?.()
    },
    wait: (what) => (told.includes(what) ? Promise.resolve() : new Promise((done) => waiting.set(what, done))),
  }
}

test('what the child says arrives, a killed child is started anew, a stopped one is not', async () => {
  const { wait, told } = next()
  let starts = 0
  const script = `const s = new (require('net').Socket)({ fd: 4 }); s.write('{"pid":' + process.pid + '}\\n'); s.resume()`
  const receiver = new RestartedReceiver(starter(script), {
    onStarted: () => told(`start ${++starts}`),
    onErrors: (errors) => errors.resume(),
    onValues: () => told(`received ${starts}`),
    onLost: (why, again) => told(`${why}, again in ${again}`),
    onBroken: () => assert.fail('broken'),
    onReplaced: async () => {},
    onHopeless: () => assert.fail('given up'),
  })
  receiver.start()
  await wait('received 1')
  process.kill(receiver.pid ?? 0, 'SIGKILL')
  await wait('killed by SIGKILL, again in 0')
  await wait('received 2')
  await receiver.stop()
  await wait('killed by SIGKILL, again in undefined')
  assert.equal(starts, 2)
})

test('a child that speaks nonsense is killed', async () => {
  const { wait, told } = next()
  const receiver = new RestartedReceiver(
    starter(`const s = new (require('net').Socket)({ fd: 4 }); s.write('open sesame\\n'); s.resume()`),
    {
      onStarted: () => {},
      onErrors: (errors) => errors.resume(),
      onValues: () => assert.fail('nonsense was received'),
      onLost: (why) => told(why.startsWith('it sent an invalid message') ? 'killed' : why),
      onBroken: (why) => told(`broken: ${why}`),
      onReplaced: async () => {},
      onHopeless: () => assert.fail('given up'),
    },
  )
  receiver.start()
  await wait('broken: it sent an invalid message: a line that is not JSON')
  await wait('killed')
  await receiver.stop()
})

/** How a row of starts ends, of children that run `script`. */
async function outcome(script: string, isReady: boolean): Promise<{ starts: number; why: string; last: unknown }> {
  let starts = 0
  let last: unknown
  return await new Promise((resolve) => {
    const receiver: RestartedReceiver = new RestartedReceiver(starter(script), {
      onStarted: () => starts++,
      onErrors: (errors) => errors.resume(),
      onValues: (values) => {
        last = values.at(-1)
        if (isReady) receiver.becameReady()
      },
      onLost: () => {
        // Enough to tell it from one that is given up.
        if (isReady && starts === 3) receiver.stop().then(() => resolve({ starts, why: 'started again', last }))
      },
      onBroken: () => assert.fail('broken'),
      onReplaced: async () => {},
      onHopeless: (why) => resolve({ starts, why, last }),
    })
    receiver.start()
  })
}
const says = (word: string, status: number) =>
  `require('fs').writeSync(4, ${JSON.stringify(JSON.stringify(word))} + '\\n'); process.exit(${status})`

for (const status of [64, 77, 78])
  test(`a child that was never ready and ends with ${status} is not started again, and its last message is received`, async () => {
    const given = await outcome(says('why', status), false)
    assert.deepEqual(given, { starts: 1, why: `exit status ${status}`, last: 'why' })
  })

test('a child that was ready is started again, whatever it ends with: a stranger may have told it to', async () => {
  assert.deepEqual(await outcome(says('ready', 77), true), { starts: 3, why: 'started again', last: 'ready' })
})

test('where no child ever becomes ready, there is an end', { timeout: 60_000 }, async () => {
  assert.deepEqual(await outcome(says('why', 1), false), { starts: 8, why: 'exit status 1', last: 'why' })
})
