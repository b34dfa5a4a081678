/** The memory of a relay for strangers who request much and read nothing, at their highest allowed number. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { defaultLimits } from '../../src/firewall/relay/limits.ts'

const PROGRAM = fileURLToPath(new URL('../support/relay-process.ts', import.meta.url))
const { strangers, strangersPerSource } = defaultLimits
/** Kilobytes for each stranger; 500 if 256 KiB are held in each direction. */
const MOST_EACH = 300

test('a thousand strangers who read nothing hold little', async () => {
  const endless = createServer((socket) => {
    const pour = (): void => {
      while (socket.write(Buffer.alloc(65_536))) {
        // Until it is full.
      }
    }
    socket.on('error', () => {})
    socket.on('drain', pour)
    pour()
  })
  endless.listen(0, '127.0.0.1', 4096)
  await once(endless, 'listening')
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((done) => free.close(done))
  const words = ['--conditions=ghostport-source', PROGRAM, `${port}`, `${(endless.address() as AddressInfo).port}`]
  const relay = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const sockets: Socket[] = []
  try {
    assert.equal(String((await once(relay.stdout, 'data'))[0]), 'ready\n')
    const memory = (): number =>
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${relay.pid}/status`, 'utf8'))?.[1])
    const before = memory()
    let gone = 0
    for (let n = 0; n < strangers; n++) {
      const from = `127.1.0.${1 + Math.floor(n / strangersPerSource)}`
      const socket = connect({ host: '127.0.0.1', port, localAddress: from })
      sockets.push(socket)
      socket.on('error', () => gone++)
      await once(socket, 'connect')
      socket.pause()
    }
    await delay(3000)
    assert.equal(gone, 0, 'each of them has a place')
    assert.ok(memory() - before < strangers * MOST_EACH, `${before} kB, then ${memory()} kB`)
  } finally {
    for (const socket of sockets) socket.destroy()
    relay.kill('SIGKILL')
    endless.close()
  }
})
