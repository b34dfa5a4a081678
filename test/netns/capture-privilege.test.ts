/**
 *   the test (root) ── opens packet sockets in a host's namespace, starts ──> receiver (becomes nobody, no capability)
 *   a sender in the namespace ── UDP over lo, IPv4 and IPv6 ──> read by the receiver from its descriptors 3 and 5
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { LOOPBACK_INDEX } from '../../src/capture/disbelief.ts'
import { openPacketSockets } from '../../src/capture/packet-socket/open.ts'
import { lookUpAccount } from '../../src/daemon/warden/receiver-process/receiver-user.ts'
import { type Account, currentSituation, receiverCommand } from '../../src/system/privilege.ts'
import { port } from '../../src/units.ts'
import { treeFor } from '../support/copied-tree.ts'
import { enter, type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { openSender } from '../support/sender.ts'

const skip = netnsUnavailable()
const spaPort = port(62201)
const nobody = lookUpAccount('nobody')
const tree = treeFor(nobody.ok ? nobody.value : { uid: 65_534, gid: 65_534 })
after(() => tree[Symbol.dispose]())

interface Said {
  readonly privileges?: Readonly<Record<string, unknown>>
  readonly ready?: true
  readonly packet?: Readonly<Record<string, unknown>>
  readonly payload?: string
  readonly counters?: Readonly<Record<string, number>>
  readonly refused?: { readonly code: string; readonly detail: string }
}

/** A receiver with packet sockets of `host`. */
async function startReceiver(host: Host, account: Account, setpriv: string | undefined) {
  const leave = await enter(host)
  const opened = openPacketSockets({ ports: [spaPort], queues: 1 })
  leave()
  assert.ok(opened.ok)
  const script = join(tree.root, 'test/support/capturing-receiver.ts')
  const program = [tree.node, '--conditions=ghostport-source', script, String(spaPort)] as const
  const command = receiverCommand([...program], account, { ...currentSituation(), setpriv })
  const [four = -1, six = -1] = opened.value.fds
  const child = spawn(command.file, command.args, {
    ...command.options,
    stdio: ['pipe', 'pipe', 'inherit', four, 'ignore', six],
  })
  opened.value.close() // the receiver's are its own
  const { stdin, stdout } = child
  assert.ok(stdin && stdout)
  const ended = once(child, 'exit')
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return {
    async hear(key: keyof Said): Promise<Said> {
      const { value, done } = await lines.next()
      assert.ok(!done, `the receiver ended before it said “${key}”`)
      const said: Said = JSON.parse(value)
      assert.ok(key in said, `“${key}” expected, not ${value}`)
      return said
    },
    async stop(): Promise<number | null> {
      stdin.end()
      return (await ended)[0]
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

const tools = [
  ['setpriv', '/usr/bin/setpriv', { bounding: '0', noNewPrivileges: true }],
  ['nothing but its own means', undefined, { bounding: '0', noNewPrivileges: true }],
] as const

for (const [name, setpriv, more] of tools)
  test(`a receiver started with ${name} has no privilege and reads real packets`, {
    skip,
    timeout: 120_000,
  }, async () => {
    assert.ok(nobody.ok)
    await using net = await Network.create()
    const host = await net.host('server')
    await using receiver = await startReceiver(host, nobody.value, setpriv)
    await using sender = await openSender(host)

    const { privileges } = await receiver.hear('privileges')
    const none = { permitted: '0', effective: '0', inheritable: '0', ambient: '0' }
    const expected = { uid: nobody.value.uid, gid: nobody.value.gid, groups: [], ...none, ...more }
    assert.deepEqual({ ...privileges, ...expected }, privileges)

    await receiver.hear('ready')
    for (const address of ['127.0.0.1', '::1']) {
      const payload = address.padEnd(150, '.')
      await sender.send(Buffer.from(payload), address, spaPort)
      const ports = { sourcePort: sender.sourcePort(address), destinationPort: spaPort }
      assert.deepEqual(await receiver.hear('packet'), {
        packet: {
          ...{ via: 'packet-socket', source: address, destination: address },
          ...{ ...ports, interfaceIndex: LOOPBACK_INDEX },
        },
        payload,
      })
    }
    const status = receiver.stop()
    assert.deepEqual((await receiver.hear('counters')).counters, { received: 2, dropped: 0 })
    assert.equal(await status, 0)
  })

test('a receiver that is started as root refuses to run', { skip, timeout: 120_000 }, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  await using receiver = await startReceiver(host, { name: 'root', uid: 0, gid: 0 }, undefined)
  const { refused } = await receiver.hear('refused')
  assert.equal(refused?.code, 'PRIVILEGE_EXCESSIVE')
  assert.equal(await receiver.stop(), 70)
})

test('a receiver that is root without capabilities refuses to run', { skip, timeout: 120_000 }, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  await using receiver = await startReceiver(host, { name: 'root', uid: 0, gid: 0 }, '/usr/bin/setpriv')
  const { refused } = await receiver.hear('refused')
  assert.equal(refused?.detail, 'the receiver runs as root')
})

test('opening packet sockets without privilege is refused, and the refusal says what would help', {
  skip,
  timeout: 120_000,
}, async () => {
  assert.ok(nobody.ok)
  const probe = `
    import { openPacketSockets } from '${join(tree.root, 'src/capture/packet-socket/open.ts')}'
    process.stdout.write(JSON.stringify(openPacketSockets({ ports: [62201] })))`
  const { uid, gid } = nobody.value
  const child = spawn(tree.node, ['--conditions=ghostport-source', '--input-type=module', '-e', probe], {
    ...{ uid, gid, cwd: '/' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(() => assert.fail('it ended without an answer'))
  const [answer] = await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => {})
  const { failure } = JSON.parse(String(answer))
  assert.equal(failure.code, 'CAPTURE_DENIED')
  assert.match(failure.detail, /CAP_NET_RAW/)
})
