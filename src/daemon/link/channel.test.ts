import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { openChannel } from './channel.ts'

function harness(longestLine?: number) {
  const received: unknown[][] = []
  const ends: string[] = []
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  openChannel(
    stream,
    { onValues: (values) => received.push(values), onBroken: (why) => ends.push(why), onEnd: () => ends.push('end') },
    longestLine,
  )
  const arrive = async (text: string | Buffer) => {
    stream.push(text)
    await new Promise((done) => setImmediate(done))
  }
  return { received, ends, arrive, stream }
}

test('values arrive whole, in order, together where they came together, however the bytes were cut', async () => {
  const { received, arrive } = harness()
  await arrive('{"a":1}\n[2]\n"th')
  await arrive('r')
  await arrive('ee"\n')
  assert.deepEqual(received, [[{ a: 1 }, [2]], ['three']])
})

test('a character cut in the middle of its bytes survives', async () => {
  const { received, arrive } = harness()
  const bytes = Buffer.from('"→"\n')
  await arrive(bytes.subarray(0, 2))
  await arrive(bytes.subarray(2))
  assert.deepEqual(received, [['→']])
})

const rubbish: [what: string, text: string][] = [
  ['no JSON', 'hello\n'],
  ['a long line', `"${'x'.repeat(200)}"\n`],
  ['a long line that never ends', 'x'.repeat(200)],
]
for (const [what, text] of rubbish) {
  test(`${what} breaks the channel for good`, async () => {
    const { received, ends, arrive } = harness(100)
    await arrive(text)
    await arrive('{"late":true}\n')
    assert.deepEqual(received, [])
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
