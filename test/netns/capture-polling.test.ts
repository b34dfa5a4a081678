/** Capture by polling: how it ends when its sockets or its warden end, and its cost while nothing arrives. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { CaptureFailure } from '../../src/capture/capture.ts'
import { openPacketSockets } from '../../src/capture/packet-socket/open.ts'
import { packetSocketCapture } from '../../src/capture/packet-socket/packet-socket.ts'
import { openUdpSockets } from '../../src/capture/udp/open.ts'
import { udpCapture } from '../../src/capture/udp/udp.ts'
import type { CaptureOrder, FromReceiver, ToReceiver } from '../../src/daemon/link/protocol.ts'
import { captureDescriptor } from '../../src/daemon/link/receiver-start.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import { parseKeyText } from '../../src/packet/key-text.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { parseUsername } from '../../src/packet/username.ts'
import type { Result } from '../../src/result.ts'
import { encodeProgram, RET_K } from '../../src/system/bpf.ts'
import { libc } from '../../src/system/libc.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { start } from '../contract/capture.ts'
import { openOn, packetSocketsOn, SPA_PORT } from '../support/capture-host.ts'
import { Network, netnsUnavailable } from '../support/netns.ts'
import { openSender } from '../support/sender.ts'

const skip = netnsUnavailable()
const options = { skip, timeout: 120_000 }
const PROGRAM = fileURLToPath(new URL('../support/polling-receiver.ts', import.meta.url))

const failsWith = (run: () => unknown, detail: RegExp): void =>
  assert.throws(run, ({ cause }: Error) => {
    assert.equal((cause as CaptureFailure).code, 'CAPTURE_FAILED')
    assert.match((cause as CaptureFailure).detail, detail)
    return true
  })

test('a descriptor that is no socket is a failure', () => {
  const fd = openSync('/dev/null', 'r')
  try {
    const bounds = { fds: [fd], ports: [SPA_PORT] }
    failsWith(() => packetSocketCapture({ ...bounds, interfaces: [] }).receive(fd), /^recvmmsg: ENOTSOCK/)
    failsWith(() => udpCapture(bounds), /is not a usable UDP socket: ENOTSOCK/)
  } finally {
    closeSync(fd)
  }
})

test('a socket that is closed under the capture is a failure', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  const { fds, close } = await openOn(host, () => openPacketSockets({ ports: [SPA_PORT] }))
  const capture = packetSocketCapture({ fds, ports: [SPA_PORT], interfaces: [] })
  assert.deepEqual(capture.receive(fds[0] ?? -1), [])
  close()
  failsWith(() => capture.receive(fds[0] ?? -1), /^recvmmsg: EBADF/)
})

const PASSIVE = { kind: 'packet', interfaces: 'any', ports: [SPA_PORT], maxBytes: 1500 } as const

test(
  'a packet that is thrown away counts as taken: it does not look like an error of the socket',
  options,
  async () => {
    await using net = await Network.create()
    const host = await net.host('server')
    await using sender = await openSender(host)
    for (const open of [openUdpSockets, openPacketSockets]) {
      const bounds = { ports: [SPA_PORT], minimumPayload: 100 }
      using sockets = await openOn(host, () => open({ ...bounds, minimumPayload: 1 }))
      const { fds } = sockets
      // The packets come by lo.
      const capture =
        open === openUdpSockets
          ? udpCapture({ ...bounds, fds })
          : packetSocketCapture({ ...bounds, fds, interfaces: ['eth9'] })
      for (let i = 0; i < 10; i++)
        await sender.send(new Uint8Array(open === openUdpSockets ? 50 : 204).fill(65), '127.0.0.1', SPA_PORT)
      for (let tries = 0; capture.taken < 10 && tries < 1000; tries++) {
        for (const fd of fds) assert.deepEqual(capture.receive(fd), [])
        await delay(5)
      }
      assert.equal(capture.taken, 10)
      assert.equal(capture.counters().received, 0)
      capture.close()
    }
  },
)

/** A receiver that polls; it ends with the test. */
class PollingReceiver implements AsyncDisposable {
  readonly messages: FromReceiver[] = []
  readonly #child: ChildProcess
  readonly #channel: Duplex
  readonly #problems: Promise<string>

  /** @param sockets become the descriptors 3, 5, 6, … */
  constructor(...[first = -1, ...others]: readonly number[]) {
    const node = ['--conditions=ghostport-source', PROGRAM]
    this.#child = spawn(process.execPath, node, { stdio: ['ignore', 'ignore', 'pipe', first, 'pipe', ...others] })
    this.#channel = this.#child.stdio[4] as unknown as Duplex
    assert.ok(this.#child.stderr)
    this.#problems = text(this.#child.stderr)
    let held = ''
    this.#channel.on('error', () => {})
    this.#channel.on('data', (chunk: Buffer) => {
      const lines = (held + chunk.toString('utf8')).split('\n')
      held = lines.pop() ?? ''
      this.messages.push(...lines.map((line) => JSON.parse(line)))
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  send(message: ToReceiver): void {
    this.#channel.write(`${JSON.stringify(message)}\n`)
  }

  /** Whether what it sends is read. */
  isRead(isRead: boolean): void {
    if (isRead) this.#channel.resume()
    else this.#channel.pause()
  }

  /** Resolves when it has read all that was sent to it. */
  async hasRead(): Promise<void> {
    while (this.#channel.writableLength > 0) await delay(5)
  }

  async until(said: FromReceiver['type']): Promise<void> {
    const deadline = performance.now() + 30_000
    while (!this.messages.some(({ type }) => type === said)) {
      assert.ok(performance.now() < deadline, JSON.stringify(this.messages))
      await delay(5)
    }
  }

  /** Sends it a configuration, and waits until it captures: by default from a packet socket, descriptor 3. */
  async configure(captures: readonly CaptureOrder[] = [{ config: PASSIVE, sockets: [3] }]): Promise<void> {
    await this.until('started')
    const texts = { 'fwknopd.conf': '', 'access.conf': 'SOURCE ANY\nKEY one key\nHMAC_KEY another key\n' }
    this.send({
      ...{ type: 'configure', generation: 0, files: { texts, folders: {}, failures: {} } },
      ...{ source: { server: 'fwknopd.conf', access: 'access.conf' }, captures },
    })
    await this.until('ready')
  }

  /**
   * Microseconds of processor time in one second: in the first second below `few`, or the least of five. The compiler
   * still works for a while.
   */
  async cost(few: number): Promise<number> {
    const used = (): number => {
      const [, after = ''] = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')
      const [user, system] = after.split(' ').slice(11, 13).map(Number)
      return ((user ?? 0) + (system ?? 0)) * 10_000
    }
    let least = Number.POSITIVE_INFINITY
    for (let second = 0; second < 5 && least >= few; second++) {
      const before = used()
      await delay(1000)
      least = Math.min(least, used() - before)
    }
    return least
  }

  /** Closes the warden's end. @returns the exit status, and what it said on standard error. */
  async desert(): Promise<[status: number, problems: string]> {
    const ended = once(this.#child, 'exit')
    this.#channel.destroy()
    const [status] = await ended
    return [status, await this.#problems]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    this.#channel.destroy()
  }
}

test('waiting costs no processor time, and it ends when its warden does', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  using sockets = await openOn(host, () => openPacketSockets({ ports: [SPA_PORT] }))
  const { fds } = sockets
  await using receiver = new PollingReceiver(fds[0] ?? -1)
  await receiver.configure()
  const cost = await receiver.cost(100_000)
  assert.ok(cost < 100_000, `${cost} µs of processor time in one second`)
  const [status, problems] = await receiver.desert()
  assert.deepEqual([status, JSON.parse(problems).code], [9, 'WARDEN_GONE'])
})

test(
  'an error that stays does not keep a processor busy, nor messages of the warden from being read',
  options,
  async () => {
    const fd = libc().socket(2, 1, 0) // TCP, not connected: always ready in poll(2), always ENOTCONN
    try {
      await using receiver = new PollingReceiver(fd)
      await receiver.configure()
      const cost = await receiver.cost(200_000)
      assert.ok(cost < 200_000, `${cost} µs of processor time in one second`)
      receiver.send({ type: 'alive?' })
      await receiver.until('alive')
    } finally {
      closeSync(fd)
    }
  },
)

test(
  'a warden that does not read holds up no packet; what it was told arrives whole when it reads',
  options,
  async () => {
    await using net = await Network.create()
    const host = await net.host('server')
    using sockets = await openOn(host, () => openPacketSockets({ ports: [SPA_PORT] }))
    const { fds } = sockets
    await using receiver = new PollingReceiver(fds[0] ?? -1)
    await receiver.configure()
    // Far more answers than fit into the socket pair, before one of them is read.
    for (let i = 0; i < 60_000; i++) receiver.send({ type: 'alive?' })
    const deadline = performance.now() + 30_000
    const answers = (): number => receiver.messages.filter(({ type }) => type === 'alive').length
    while (answers() < 60_000 && performance.now() < deadline) await delay(5)
    assert.equal(answers(), 60_000)
  },
)

test('of several captures each has its turn: a flood in one holds up no packet of another', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  const [flooded, quiet] = [SPA_PORT, port(53)]
  using passive = await openOn(host, () => openPacketSockets({ ports: [flooded] }))
  using udp = await openOn(host, () => openUdpSockets({ ports: [quiet] }))
  await using sender = await openSender(host)
  await using receiver = new PollingReceiver(...passive.fds, ...udp.fds)
  await receiver.configure([
    { config: PASSIVE, sockets: passive.fds.map((_, i) => captureDescriptor(i)) },
    {
      config: { kind: 'udp', interfaces: 'any', ports: [quiet], maxBytes: 1500 },
      sockets: udp.fds.map((_, i) => captureDescriptor(passive.fds.length + i)),
    },
  ])
  // Held until all of them wait in the kernel.
  process.kill(receiver.pid, 'SIGSTOP')
  const flood = 500
  for (let i = 0; i < flood; i++) await sender.send(knockNumber(i), '127.0.0.1', flooded)
  await sender.send(knockNumber(flood), '127.0.0.1', quiet)
  process.kill(receiver.pid, 'SIGCONT')
  const deadline = performance.now() + 10_000
  const ports = () =>
    receiver.messages.flatMap((message) => (message.type === 'knock' ? [message.knock.packet.destinationPort] : []))
  while (ports().length <= flood && performance.now() < deadline) await delay(5)
  assert.equal(ports().length, flood + 1)
  // One batch of each descriptor comes first, at most.
  assert.ok(ports().indexOf(quiet) <= 64 * passive.fds.length, `it was the packet ${ports().indexOf(quiet)}`)
})

test('a source that floods fills one socket; packets of the others find room in theirs', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  using sockets = await packetSocketsOn(host, [], { receiveBuffer: 1024 * 1024 })
  await using sender = await openSender(host)
  for (let i = 0; i < 1500; i++) await sender.send(new Uint8Array(200), '127.0.0.1', SPA_PORT)
  const program = `
    import { createSocket } from 'node:dgram'
    for (let source = 1; source <= 64; source++) {
      const socket = createSocket('udp4')
      await new Promise((bound) => socket.bind(0, '127.0.1.' + source, bound))
      await new Promise((sent) => socket.send(Buffer.alloc(150), ${SPA_PORT}, '127.0.0.1', sent))
      socket.close()
    }`
  host.must([process.execPath, '--input-type=module', '-e', program])
  const running = await start(sockets.capture)
  const heard = (): number => running.packets.filter(({ payload }) => payload.length === 150).length
  const counted = (): number => {
    const { received, dropped } = sockets.capture.counters()
    return received + dropped
  }
  const deadline = performance.now() + 10_000
  while (counted() < 1564 && performance.now() < deadline) await delay(5)
  await running.stop()
  // One in eight shares the socket of the flood, by chance: fewer than 40 are heard once in a million times.
  assert.ok(heard() >= 40, `${heard()} of 64`)
  assert.ok(sockets.capture.counters().dropped > 1000)
})

test('packets that are passed over are no wake-ups for nothing', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  // Empty ones are read, and not handed on.
  using sockets = await openOn(host, () => openUdpSockets({ ports: [SPA_PORT] }))
  const { fds } = sockets
  await using sender = await openSender(host)
  await using receiver = new PollingReceiver(...fds)
  await receiver.configure([
    { config: { kind: 'udp', interfaces: 'any', ports: [SPA_PORT], maxBytes: 1500 }, sockets: [captureDescriptor(0)] },
  ])
  const voluntary = (): number =>
    Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`/proc/${receiver.pid}/status`, 'utf8'))?.[1])
  const before = voluntary()
  for (let i = 0; i < 200; i++) {
    await sender.send(new Uint8Array(0), '127.0.0.1', SPA_PORT)
    await delay(2)
  }
  // It would have paused for 100 ms after each 16.
  assert.ok(voluntary() - before >= 100, `${voluntary() - before} wake-ups for 200 packets`)
})

const must = <T>(result: Result<T>): T => {
  assert.ok(result.ok, result.ok ? '' : result.failure.detail)
  return result.value
}

/** A packet that the configuration of these tests opens. */
function knockNumber(i: number): Uint8Array {
  const text = sealPacket(
    {
      kind: 'access',
      random: String(i).padStart(16, '0'),
      username: must(parseUsername('ada')),
      timestamp: unixSeconds(1_800_000_000),
      source: 'packet-source',
      ports: [{ protocol: 'tcp', port: port(22) }],
    },
    {
      encryption: { key: must(parseKeyText(EncryptionKey, 'one key')), mode: 'CBC' },
      hmac: { key: must(parseKeyText(HmacKey, 'another key')), type: 'sha256' },
    },
    { digestType: 'sha256', salt: new Uint8Array(8) },
  )
  return new TextEncoder().encode(must(text))
}

test('who holds the sockets cannot widen what they see, nor share it out otherwise', options, async () => {
  await using net = await Network.create()
  using sockets = await packetSocketsOn(await net.host('server'))
  const everything = encodeProgram([{ code: RET_K, jt: 0, jf: 0, k: 0xffff }])
  const filter = new Uint8Array(16)
  new DataView(filter.buffer).setUint16(0, 1, true)
  new DataView(filter.buffer).setBigUint64(8, libc().address(everything), true)
  const [SOL_SOCKET, SO_ATTACH_FILTER, SO_DETACH_FILTER, EPERM] = [1, 26, 27, 1]
  const [SOL_PACKET, PACKET_FANOUT_DATA] = [263, 22]
  for (const fd of sockets.opened.fds)
    for (const [level, option] of [
      [SOL_SOCKET, SO_ATTACH_FILTER],
      [SOL_SOCKET, SO_DETACH_FILTER],
      [SOL_PACKET, PACKET_FANOUT_DATA],
    ] as const) {
      assert.equal(libc().setsockopt(fd, level, option, filter, filter.length), -1)
      assert.equal(libc().errno(), EPERM)
    }
})

test('a busy receiver holds packets back in the kernel, and loses none that it has room for', options, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  using sockets = await packetSocketsOn(host)
  const running = await start(sockets.capture)
  try {
    const program = `
      import { createSocket } from 'node:dgram'
      // No source sends more than its share.
      for (let source = 1; source <= 250; source++) {
        const socket = createSocket('udp4')
        await new Promise((bound) => socket.bind(0, '127.0.0.' + source, bound))
        for (let i = 0; i < 16; i++)
          await new Promise((sent) => socket.send(Buffer.alloc(200), ${SPA_PORT}, '127.0.0.1', sent))
        socket.close()
      }`
    // Synchronous: nothing is received while 4 000 packets arrive, many times what one batch holds.
    host.must([process.execPath, '--input-type=module', '-e', program])
    await running.received(4000)
    assert.deepEqual(sockets.capture.counters(), { received: 4000, dropped: 0 })
  } finally {
    await running.stop()
  }
})
