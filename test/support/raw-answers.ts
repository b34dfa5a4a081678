/** HTTP answers that a server must not give, as bytes: each ends the connection without a whole answer. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type Port, port } from '../../src/units.ts'

/** What the server does → what it sends before it closes the connection. */
export const WITHOUT_ANSWER: ReadonlyMap<string, string> = new Map([
  ['closes at once', ''],
  ['changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
  ['says to go on, and no more', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['sends a part of its answer', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{'],
  ['sends control characters', 'HTTP/1.1 200 \x1b]0;x\x07\r\n\x1b[2J: x\r\n\r\n{}'],
])

/** On loopback, over plain HTTP. It answers each connection after its first bytes. */
export async function answering(bytes: string): Promise<{ readonly at: Port } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(bytes, 'latin1'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    at: port((server.address() as AddressInfo).port),
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
