import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { openChannel } from './channel.ts'

function harness(longestLine?: number) {
  const heard: unknown[][] = []
  const ends: string[] = []
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  openChannel(
    stream,
    { onValues: (values) => heard.push(values), onBroken: (why) => ends.push(why), onEnd: () => ends.push('end') },
    longestLine,
  )
  const say = async (text: string | Buffer) => {
    stream.push(text)
    await new Promise((done) => setImmediate(done))
  }
  return { heard, ends, say, stream }
}

test('values arrive whole, in order, together where they came together, however the bytes were cut', async () => {
  const { heard, say } = harness()
  await say('{"a":1}\n[2]\n"th')
  await say('r')
  await say('ee"\n')
  assert.deepEqual(heard, [[{ a: 1 }, [2]], ['three']])
})

test('a character cut in the middle of its bytes survives', async () => {
  const { heard, say } = harness()
  const bytes = Buffer.from('"→"\n')
  await say(bytes.subarray(0, 2))
  await say(bytes.subarray(2))
  assert.deepEqual(heard, [['→']])
})

const rubbish: [what: string, text: string][] = [
  ['no JSON', 'hello\n'],
  ['a long line', `"${'x'.repeat(200)}"\n`],
  ['a long line that never ends', 'x'.repeat(200)],
]
for (const [what, text] of rubbish) {
  test(`${what} breaks the channel for good`, async () => {
    const { heard, ends, say } = harness(100)
    await say(text)
    await say('{"late":true}\n')
    assert.deepEqual(heard, [])
    assert.equal(ends.length, 1)
  })
}

test('the end is told once', async () => {
  const { ends, stream } = harness()
  stream.push(null)
  await new Promise((done) => setImmediate(done))
  stream.destroy()
  await new Promise((done) => setImmediate(done))
  assert.deepEqual(ends, ['end'])
})
