/** The capturing thread: how it ends, in whatever way the process or its sockets do, and what it costs while nothing comes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeProgram, RET_K } from '../../src/capture/bpf.ts'
import { libc } from '../../src/capture/libc.ts'
import { createPacketSocketCapture } from '../../src/capture/packet-socket.ts'
import { numbered, start } from '../contract/capture.ts'
import { packetSocketsOn, SPA_PORT } from '../support/capture-host.ts'
import { Network, netnsUnavailable } from '../support/netns.ts'
import { openSender } from '../support/sender.ts'

const skip = netnsUnavailable()
const options = { skip, timeout: 20_000 }

test('what is no socket ends the capture with a failure', { timeout: 20_000 }, async () => {
  const fd = openSync('/dev/null', 'r')
  try {
    const capture = createPacketSocketCapture({ fds: [fd], ports: [SPA_PORT], interfaces: [] })
    const running = capture.run(
      () => assert.fail('delivered'),
      new AbortController().signal,
      () => {},
    )
    await assert.rejects(running, (error: Error) => {
      assert.deepEqual(error.cause, {
        code: 'CAPTURE_FAILED',
        detail: 'the capturing thread failed: recvmmsg: ENOTSOCK, socket operation on non-socket',
      })
      return true
    })
  } finally {
    closeSync(fd)
  }
})

test('a socket that is closed under the capture ends it with a failure', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  const { capture, opened } = await packetSocketsOn(host)
  await using sender = await openSender(host)
  const stopped = new AbortController()
  await new Promise<void>((ready, failed) => {
    capture
      .run(() => {}, stopped.signal, ready)
      .then(
        () => failed(new Error('it ended')),
        (error: Error) => errors.push(error),
      )
  })
  opened.close()
  // A poll that is under way still sees the old socket; the next packet, or the next poll, shows that it is gone.
  await sender.send(numbered(1), '127.0.0.1', SPA_PORT)
  await sender.send(numbered(2), '::1', SPA_PORT)
  const deadline = performance.now() + 5000
  while (errors.length === 0 && performance.now() < deadline) await delay(5)
  assert.match(String(errors[0]), /packets cannot be captured: the capturing thread failed/)
})
const errors: Error[] = []

const endings = [
  ['process.exit', 'process.exit(3)', 3],
  ['an exception that nobody catches', "setTimeout(() => { throw new Error('ours') })", 1],
  ['abort', 'stopped.abort()', 0],
] as const
for (const [name, statement, status] of endings)
  test(`a process ends promptly while it captures: ${name}`, options, async () => {
    await using net = await Network.create()
    const host = await net.host('server')
    const program = `
      import { openPacketSockets } from '${source('open-packet-sockets')}'
      import { createPacketSocketCapture } from '${source('packet-socket')}'
      const ports = [62201]
      const opened = openPacketSockets({ ports })
      const stopped = new AbortController()
      createPacketSocketCapture({ fds: opened.value.fds, ports, interfaces: [] })
        .run(() => {}, stopped.signal, () => { console.log('ready'); ${statement} })`
    const node = [process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e', program]
    const [file, ...args] = host.command(node) as [string, ...string[]]
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, problems] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      problems += chunk.toString('utf8')
    })
    const [code] = await Promise.race([once(child, 'close'), delay(10_000, ['still there after 10 s'], { ref: false })])
    child.kill('SIGKILL')
    assert.equal(output, 'ready\n', problems)
    assert.equal(code, status)
  })

test('waiting costs no processor time', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  using sockets = await packetSocketsOn(host)
  await using _running = await start(sockets.capture)
  await delay(200) // compilation in the background of what has just started
  const before = process.cpuUsage()
  await delay(1000)
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 100_000, `${user + system} µs of processor time in one second`)
})

test('an error that stays does not keep a processor busy, nor the capture from ending', {
  timeout: 20_000,
}, async () => {
  const fd = libc().socket(2, 1, 0) // TCP, not connected: always ready in poll(2), always ENOTCONN
  try {
    const running = await start(createPacketSocketCapture({ fds: [fd], ports: [SPA_PORT], interfaces: [] }))
    await delay(200)
    const before = process.cpuUsage()
    await delay(1000)
    const { user, system } = process.cpuUsage(before)
    assert.ok(user + system < 200_000, `${user + system} µs of processor time in one second`)
    await running.stop()
  } finally {
    closeSync(fd)
  }
})

test('whoever holds the sockets cannot widen what they see', options, async () => {
  await using net = await Network.create()
  using sockets = await packetSocketsOn(await net.host('server'))
  const everything = encodeProgram([{ code: RET_K, jt: 0, jf: 0, k: 0xffff }])
  const filter = new Uint8Array(16)
  new DataView(filter.buffer).setUint16(0, 1, true)
  new DataView(filter.buffer).setBigUint64(8, libc().address(everything), true)
  const [SOL_SOCKET, SO_ATTACH_FILTER, SO_DETACH_FILTER, EPERM] = [1, 26, 27, 1]
  for (const fd of sockets.opened.fds)
    for (const option of [SO_ATTACH_FILTER, SO_DETACH_FILTER]) {
      assert.equal(libc().setsockopt(fd, SOL_SOCKET, option, filter, filter.length), -1)
      assert.equal(libc().errno(), EPERM)
    }
})

test('a slow main thread holds packets back in the kernel, and loses none that it has room for', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  using sockets = await packetSocketsOn(host)
  const running = await start(sockets.capture)
  try {
    const program = `
      import { createSocket } from 'node:dgram'
      const socket = createSocket('udp4')
      for (let i = 0; i < 4000; i++) {
        const payload = Buffer.alloc(200)
        payload.writeUInt32BE(i)
        await new Promise((sent) => socket.send(payload, ${SPA_PORT}, '127.0.0.1', sent))
      }
      socket.close()`
    // Synchronous: not one turn of our event loop while 4 000 packets come in, more than the batches under way hold.
    host.must([process.execPath, '--input-type=module', '-e', program])
    await running.received(4000)
    assert.deepEqual(sockets.capture.counters(), { received: 4000, dropped: 0 })
  } finally {
    await running.stop()
  }
})

function source(name: string): string {
  return new URL(`../../src/capture/${name}.ts`, import.meta.url).href
}
