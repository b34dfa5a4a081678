/** Who has room at the TCP server, with connections from many addresses of the loopback interface. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { monotonic } from '../../clock.ts'
import { PollSet } from '../../system/poll-set.ts'
import { port } from '../../units.ts'
import { openTcpServer } from './open.ts'
import { MOST_CONNECTIONS, tcpServerCapture } from './tcp-server.ts'

const OWNER = '127.0.0.1'
const OTHERS = Array.from({ length: 9 }, (_, i) => `127.0.0.${i + 2}`)

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('a source whose connections make room for its own keeps its places', { timeout: 60_000 }, async () => {
  const number = await freePort()
  const opened = openTcpServer(port(number))
  assert.ok(opened.ok)
  const capture = tcpServerCapture({ fd: opened.value.fds[0] ?? -1 })
  const sockets = new Set<Socket>()
  const payloads: string[] = []
  /** Hands over what is there. */
  const pump = async (): Promise<void> => {
    await turn()
    const { fds } = capture
    const waiting = new PollSet(fds)
    waiting.wait(0)
    for (const [i, fd] of fds.entries())
      if (waiting.isReadable(i))
        for (const { payload } of capture.receive(fd)) payloads.push(Buffer.from(payload).toString())
  }
  const until = async (is: () => boolean, what: string): Promise<void> => {
    const end = monotonic() + 20_000
    for (; !is(); await pump()) assert.ok(monotonic() < end, what)
  }
  const say = async (from: string, text: string): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port: number, localAddress: from }).on('error', () => {})
    sockets.add(socket)
    await once(socket, 'connect')
    const before = capture.taken
    socket.write(text)
    await until(() => capture.taken > before, `no connection of ${from} was taken`)
    return socket
  }
  try {
    let owner = await say(OWNER, 'x')
    for (let round = 0; round < 12; round++) {
      const crowd: Socket[] = []
      for (let i = 0; i < MOST_CONNECTIONS - 1; i++) crowd.push(await say(OTHERS[i % OTHERS.length] ?? '', 'y'))
      // The owner's own connection is the oldest, and makes room.
      const next = await say(OWNER, 'x')
      assert.equal(capture.fds.length, MOST_CONNECTIONS + 1)
      assert.equal(next.readyState, 'open')
      const before = owner
      owner = next
      for (const socket of crowd) socket.destroy()
      await until(() => capture.fds.length <= 2, 'closed connections stay')
      before.destroy()
      assert.equal(capture.fds.length, 2, `round ${round}: the owner has a place`)
    }
    const knock = await say(OWNER, 'k'.repeat(200))
    knock.end()
    await until(() => payloads.some((text) => text.startsWith('kkk')), 'the owner is kept out')
  } finally {
    for (const socket of sockets) socket.destroy()
    capture.close()
    opened.value.close()
  }
})
