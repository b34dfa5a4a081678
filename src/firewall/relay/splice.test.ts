import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { reset } from './splice.ts'

/** A connection to ourselves: both ends. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const near = connect({ host: '127.0.0.1', port: address.port, allowHalfOpen: true })
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown]
  server.close()
  for (const socket of [near, far]) socket.on('error', () => {})
  return [near, far]
}

const MOMENTS: readonly [string, () => Promise<unknown>][] = [
  ['at once', () => Promise.resolve()],
  ['a tick later', () => new Promise((resolve) => process.nextTick(resolve))],
  ['a turn later', () => new Promise((resolve) => setImmediate(resolve))],
]
for (const [when, moment] of MOMENTS) {
  for (const [what, bytes] of [
    ['nothing to send', ''],
    ['a little to send', 'x'],
    ['more to send than is taken', Buffer.alloc(16_000_000)],
  ] as const) {
    test(`a connection that was ended with ${what} and is reset ${when} closes`, async () => {
      const [near, far] = await pair()
      near.end(bytes)
      await moment()
      const closed = new Promise((resolve, reject) => {
        near.once('close', resolve)
        setTimeout(() => reject(new Error('it never closes')), 2000).unref()
      })
      reset(near)
      await closed
      far.destroy()
    })
  }
}

test('resetting twice, or what is closed, does nothing', async () => {
  const [near, far] = await pair()
  reset(near)
  reset(near)
  await new Promise((resolve) => far.resume().once('close', resolve))
  reset(far)
})
