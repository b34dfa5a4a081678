/**
 * `ghostport revoke` when things go on meanwhile: a real ssh session, UDP flows, knocks that come in a flood while a
 * user is disabled, and a server that is killed in the middle.
 *
 *   client 10.9.0.1, fd09::1 ── 10.9.0.2, fd09::2 server: sshd on tcp/22, an echo on tcp/25, udp/53
 */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  EncryptionKey,
  HmacKey,
  parseAddress,
  parseKeyText,
  parseUsername,
  port,
  type Result,
  sealPacket,
  unixSeconds,
} from '../../src/packet.ts'
import { Daemon, dropByDefault, ghostportCommand, keys, knock, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const skip = netnsUnavailable()
let net: Network
let client: Host
let server: Host
let daemon: Daemon
let home: string

before(async () => {
  if (skip !== false) return
  net = await Network.create()
  ;[client, server] = [await net.host('client'), await net.host('server')]
  await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], server, ['10.9.0.2/24', 'fd09::2/64'])
  dropByDefault(server)
  await server.listen([
    { protocol: 'tcp', port: 25, banner: 'mail' },
    { protocol: 'udp', port: 53, banner: 'name' },
  ])
  home = net.directory()
  for (const name of ['host', 'user'])
    client.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(home, name)])
  copyFileSync(join(home, 'user.pub'), join(home, 'authorized'))
  mkdirSync('/run/sshd', { recursive: true })
  const config = ['Port 22', `HostKey ${join(home, 'host')}`, `AuthorizedKeysFile ${join(home, 'authorized')}`]
  const more = [
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'PermitRootLogin prohibit-password',
    `SetEnv HOME=${home}`,
  ]
  writeFileSync(join(home, 'sshd_config'), [...config, ...more].map((line) => `${line}\n`).join(''))
  await server.start(['/usr/sbin/sshd', '-D', '-e', '-f', join(home, 'sshd_config')]).says(/listening on 0\.0\.0\.0/)
  daemon = await Daemon.start(net, server, { access: stanza(['NAME alice']) })
})
after(() => net?.close())

const at = { 4: ['10.9.0.1', '10.9.0.2'], 6: ['fd09::1', 'fd09::2'] } as const
const files = () => ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]

function revoke(...words: readonly string[]): Outcome {
  return server.run(ghostportCommand('revoke', '--socket', daemon.path('state/control.sock'), ...words))
}

async function open(family: 4 | 6, what: string): Promise<void> {
  const [mine, theirs] = at[family]
  await daemon.verdictAfter(() => knock(client, theirs, '-A', what, '-a', mine))
}

for (const family of [4, 6] as const)
  test(`a real ssh session ends within a second, IPv${family}`, { skip }, async () => {
    await open(family, 'tcp/22')
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${join(home, 'known')}`]
    const session = client.start([
      ...['ssh', '-F', 'none', '-i', join(home, 'user'), ...options.flatMap((it) => ['-o', it])],
      ...[`root@${at[family][1]}`, 'echo in && sleep 60'],
    ])
    await session.says(/in\n/)
    assert.equal(revoke('alice').status, 0)
    const begun = performance.now()
    await session.ended
    const took = performance.now() - begun
    assert.ok(took < 1000, `${took} ms`)
    assert.match(session.output, /reset|closed|broken/i)
  })

/** Asks each 50 ms from one port, and writes each answer. */
const ASKER = `
  const [address, family] = process.argv.slice(1)
  const socket = require('node:dgram').createSocket('udp' + family)
  socket.on('message', () => console.log('answer'))
  socket.on('error', () => {})
  socket.bind(40053, () => setInterval(() => socket.send('?', 53, address, () => {}), 50))`

for (const family of [4, 6] as const)
  test(`a UDP flow ends, although its client goes on, IPv${family}`, { skip }, async () => {
    await open(family, 'udp/53')
    const asker = client.start([process.execPath, '-e', ASKER, at[family][1], `${family}`])
    await asker.says(/answer\n/)
    const done = JSON.parse(revoke('--json', 'alice').stdout)
    assert.equal(done.connections, 1)
    // What was answered before the end may be on its way.
    await delay(200)
    const before = asker.output.length
    await delay(600)
    assert.equal(asker.output.length, before)
    await asker.stop('SIGKILL')
  })

test('a user who is disabled in a flood of own knocks has nothing open afterwards', { skip }, async () => {
  const must = <T>(result: Result<T>): T => {
    assert.ok(result.ok)
    return result.value
  }
  const [key, hmac] = [must(parseKeyText(EncryptionKey, keys.key)), must(parseKeyText(HmacKey, keys.hmac))]
  const [username, source] = [must(parseUsername('alice')), must(parseAddress('10.9.0.1'))]
  const packets = Array.from({ length: 600 }, (_, i) =>
    must(
      sealPacket(
        {
          ...({ kind: 'access', username, source, timestamp: unixSeconds(Math.floor(Date.now() / 1000)) } as const),
          random: `${randomInt(1e8, 1e9)}${randomInt(1e6, 1e7)}`,
          ports: [{ protocol: 'tcp', port: port(i % 2 === 0 ? 25 : 1000 + i) }],
        },
        { encryption: { key, mode: 'CBC' }, hmac: { key: hmac, type: 'sha256' } },
        { digestType: 'sha256', salt: randomBytes(8) },
      ),
    ),
  )
  await open(4, 'tcp/25')
  const session = await client.connect('10.9.0.2', 25)
  const path = join(home, 'packets')
  writeFileSync(path, packets.join('\n'))
  // From before the user is disabled until some time after it.
  const flood = client.start([
    process.execPath,
    '-e',
    `const socket = require('node:dgram').createSocket('udp4')
     const packets = require('node:fs').readFileSync(process.argv[1], 'latin1').split('\\n')
     let i = 0
     setInterval(() => { for (let n = 0; n < 3; n++) if (i < packets.length) socket.send(packets[i++], 62201, '10.9.0.2') }, 10)
     console.log('begun')`,
    path,
  ])
  await flood.says(/begun/)
  await daemon.until(({ verdict, grant }) => verdict === 'granted' && `${grant}`.includes('tcp/1'))
  const done = server.run(ghostportCommand('user', 'disable', 'alice', ...files()))
  assert.equal(done.status, 0, done.stderr)
  assert.notEqual(await session.ended(1_000), undefined)
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(daemon.status().grants, [])
    assert.equal(await client.tcp('10.9.0.2', 25, { timeoutMs: 100 }), 'timeout')
  }
  await flood.stop('SIGKILL')
  const enabled = server.run(ghostportCommand('user', 'enable', 'alice', ...files()))
  assert.equal(enabled.status, 0, enabled.stderr)
})

test('a server that is killed in the middle: the next one ends what was begun', { skip }, async () => {
  let finished = 0
  for (const wait of [0, 1, 2, 3, 5, 8, 12, 20]) {
    await open(4, 'tcp/25')
    const session = await client.connect('10.9.0.2', 25)
    const from = daemon.events.length
    const asking = server.start(
      ghostportCommand('revoke', '--json', '--socket', daemon.path('state/control.sock'), 'alice'),
    )
    await daemon.until(({ event }) => event === 'control', from)
    await delay(wait)
    await daemon.stop('SIGKILL')
    const status = await asking.ended
    // The line was written: it was begun. Whether it was confirmed or not, nothing of it lives.
    assert.ok(status === 0 || status === 69, `${status}: ${asking.output}`)
    if (status === 69) assert.match(asking.output, /Nothing is confirmed/)
    const isBegun = existsSync(daemon.path('state/replay.db-revocations'))
    if (status === 69 && !isBegun) {
      // Killed before anything was done: it is said, and the administrator asks again.
      await daemon.again()
      assert.equal(revoke('alice').status, 0)
    } else {
      await daemon.again()
      if (isBegun) {
        const told = await daemon.until(({ event }) => event === 'control')
        assert.deepEqual([told['asked'], told['detail']], ['revoke alice', 'begun before this start, and finished now'])
        finished++
      }
    }
    assert.notEqual(await session.ended(1_500), undefined, `after ${wait} ms`)
    assert.deepEqual(daemon.status().grants, [])
    assert.ok(!existsSync(daemon.path('state/replay.db-revocations')))
  }
  assert.ok(finished > 0, 'the server was killed in the middle at least once')
})
