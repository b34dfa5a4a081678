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

test('what is sent soon leaves together at the end of the turn; what is sent at once takes it along, in order', async () => {
  const written: string[] = []
  const parts: number[] = []
  const stream = new Duplex({
    read() {},
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      written.push(`${chunk}`)
      done()
    },
    writev: (chunks, done) => {
      parts.push(chunks.length)
      written.push(...chunks.map(({ chunk }) => `${chunk}`))
      done()
    },
  })
  const channel = openChannel(stream, { onValues: () => {}, onBroken: () => {}, onEnd: () => {} })
  for (const value of [1, 2, 3]) channel.sendSoon(value)
  assert.deepEqual(written, [])
  assert.equal(channel.backlog, 6)
  await new Promise((done) => setImmediate(done))
  assert.deepEqual([written.splice(0), parts.splice(0)], [['1\n', '2\n', '3\n'], [3]])
  channel.sendSoon(4)
  channel.send(5)
  assert.deepEqual([written.splice(0), parts], [['4\n', '5\n'], [2]])
  await new Promise((done) => setImmediate(done))
  channel.send(6)
  assert.deepEqual(written, ['6\n'])
})
