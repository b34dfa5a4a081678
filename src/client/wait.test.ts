/** Doors on loopback: real sockets, opened while they are tried. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { parseAddress } from '../packet/address.ts'
import { milliseconds, port } from '../units.ts'
import { type ClosedDoor, type OpenDoor, type OpenSign, waitForDoor } from './wait.ts'

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
/** A port where nobody listens. */
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
    assert.ok(found.attempts >= 3 && found.refused === found.attempts && found.mute === 0)
  })

  it('with a decoy before it is not open', async () => {
    await using server = await listen(0, quiet)
    const found = await wait(portOf(server), 'banner', 200)
    assert.ok(!found.open)
    assert.ok(found.mute > 0 && found.refused === 0)
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
      // The first visitor meets the decoy, the next ones the service.
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
