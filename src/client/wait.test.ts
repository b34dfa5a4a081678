/** Doors on loopback: real sockets, opened while they are tried. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { parseAddress } from '../packet/address.ts'
import { milliseconds, port } from '../units.ts'
import { type ClosedDoor, type Door, lookAtDoor, type OpenDoor, type OpenSign, waitForDoor } from './wait.ts'

const loopback = parseAddress('127.0.0.1')
const loopback6 = parseAddress('::1')
assert.ok(loopback.ok && loopback6.ok)

async function listen(at: number, serve: (socket: Socket) => void): Promise<Server & AsyncDisposable> {
  const server = createServer(serve)
  server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  return server
}
function portOf(server: Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}
/** A port where nothing listens. */
async function freePort(): Promise<number> {
  const server = await listen(0, () => {})
  const free = portOf(server)
  server.close()
  await once(server, 'close')
  return free
}
function wait(at: number, sign: OpenSign, limit: number, addresses = [loopback]): Promise<OpenDoor | ClosedDoor> {
  const door = { addresses: addresses.flatMap((it) => (it.ok ? [it.value] : [])), port: port(at), sign }
  return waitForDoor(door, performance.now(), milliseconds(limit))
}
const quiet = (socket: Socket): void => void socket.on('error', () => {}).resume()

describe('a door', () => {
  it('that is open is found open by the first attempt', async () => {
    let connections = 0
    await using server = await listen(0, (socket) => {
      connections++
      quiet(socket)
    })
    const found = await wait(portOf(server), 'connect', 5_000)
    assert.ok(found.open && found.address === '127.0.0.1')
    found.socket.destroy()
    assert.equal(connections, 1)
  })

  it('that opens while it is tried is found', async () => {
    const at = await freePort()
    const waiting = wait(at, 'connect', 10_000)
    await using server = await listen(at, quiet)
    const found = await waiting
    assert.ok(found.open)
    found.socket.destroy()
    assert.equal(portOf(server), at)
  })

  it('is found at whichever address it opens', async () => {
    await using server = await listen(0, quiet)
    const found = await wait(portOf(server), 'connect', 5_000, [loopback6, loopback])
    assert.ok(found.open && found.address === '127.0.0.1')
    found.socket.destroy()
  })

  it('that stays shut is told by how it answers', async () => {
    const found = await wait(await freePort(), 'connect', 200)
    assert.ok(!found.open)
    assert.ok(found.attempts >= 3)
    const [seen] = found.seen
    assert.deepEqual(found.seen, [{ address: '127.0.0.1', refused: seen?.refused, mute: 0, errors: [] }])
    // The last attempt may have begun when the time ended.
    assert.ok(
      [found.attempts, found.attempts - 1].includes(seen?.refused ?? 0),
      `${seen?.refused} of ${found.attempts}`,
    )
  })

  it('with a decoy before it is not open', async () => {
    await using server = await listen(0, quiet)
    const found = await wait(portOf(server), 'banner', 200)
    assert.ok(!found.open)
    assert.ok((found.seen[0]?.mute ?? 0) > 0 && found.seen[0]?.refused === 0)
  })

  it('whose decoy hangs up without a word is not open', async () => {
    await using server = await listen(0, (socket) => socket.end())
    const found = await wait(portOf(server), 'banner', 200)
    assert.ok(!found.open)
  })

  it('is open once the service behind it speaks, and nothing that it said is lost', async () => {
    let served = 0
    await using server = await listen(0, (socket) => {
      quiet(socket)
      // The first client gets the decoy, the next ones the service.
      if (served++ > 0) socket.end('SSH-2.0-test\r\nmore')
    })
    const found = await wait(portOf(server), 'banner', 5_000)
    assert.ok(found.open)
    let heard = ''
    for await (const chunk of found.socket) heard += chunk
    found.socket.destroy() // half-open: the other half is ours to end
    assert.equal(heard, 'SSH-2.0-test\r\nmore')
    assert.ok(found.after >= 0)
  })
})

describe('a look before the knock', () => {
  const doorAt = (at: number, sign: OpenSign): Door => ({ addresses: [loopback.value], port: port(at), sign })
  /** Looks, lets `knock` happen, and waits. */
  async function lookThenWait(door: Door, knock: () => Promise<unknown>): Promise<OpenDoor | ClosedDoor> {
    const look = lookAtDoor(door)
    await knock()
    return await waitForDoor(door, performance.now(), milliseconds(10_000), { look })
  }
  const nothing = async (): Promise<void> => {}
  const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

  for (const [when, knock] of [
    ['at once', nothing],
    ['before the packet leaves', aWhile],
  ] as const)
    it(`tells that the port was open already, answered ${when}`, async () => {
      let connections = 0
      await using server = await listen(0, (socket) => {
        connections++
        quiet(socket)
      })
      const found = await lookThenWait(doorAt(portOf(server), 'connect'), knock)
      assert.ok(found.open && found.already && found.after === 0)
      found.socket.destroy()
      await aWhile()
      if (knock === aWhile) assert.equal(connections, 1, 'no other connection is made')
    })

  it('is no reason to say so where the port opens after it', async () => {
    const at = await freePort()
    let server: Server | undefined
    const found = await lookThenWait(doorAt(at, 'connect'), async () => {
      await aWhile()
      server = await listen(at, quiet)
    })
    assert.ok(found.open && !found.already)
    found.socket.destroy()
    server?.close()
  })

  it('believes a service that was slow to greet, and nothing that it said is lost', async () => {
    let served = 0
    await using server = await listen(0, (socket) => {
      quiet(socket)
      // The look's connection is greeted later than the one that follows it.
      setTimeout(() => socket.end('SSH-2.0-test\r\n'), served++ === 0 ? 12 : 0)
    })
    const found = await lookThenWait(doorAt(portOf(server), 'banner'), nothing)
    assert.ok(found.open && found.already)
    let heard = ''
    for await (const chunk of found.socket) heard += chunk
    found.socket.destroy()
    assert.equal(heard, 'SSH-2.0-test\r\n')
  })

  it('that met the decoy does not keep the service from being found', async () => {
    let served = 0
    await using server = await listen(0, (socket) => {
      quiet(socket)
      if (served++ > 0) socket.end('SSH-2.0-test\r\n')
    })
    const found = await lookThenWait(doorAt(portOf(server), 'banner'), aWhile)
    assert.ok(found.open && !found.already)
    found.socket.destroy()
  })

  it('leaves no connection where nothing is sent', async () => {
    await using server = await listen(0, quiet)
    const look = lookAtDoor(doorAt(portOf(server), 'connect'))
    await aWhile()
    const connections = (): Promise<number> =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      )
    assert.equal(await connections(), 1)
    look.end()
    await aWhile()
    assert.equal(await connections(), 0)
  })
})
