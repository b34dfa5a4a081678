/**
 * `ghostport revoke` with a running server: sessions end, also those whose grant has ended, and others live on.
 *
 *   client 10.9.0.1, fd09:0::1 ── 10.9.0.2, fd09:0::2 server 10.9.2.2 ── 10.9.2.1 other
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, dropByDefault, ghostportCommand, knock, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const skip = netnsUnavailable()
const LIFETIME = 4
const BOB = { key: 'a key of bob alone', hmac: 'another key of bob' }
let net: Network
let client: Host
let other: Host
let server: Host
let daemon: Daemon

before(async () => {
  if (skip !== false) return
  net = await Network.create()
  ;[client, other, server] = [await net.host('client'), await net.host('other'), await net.host('server')]
  await net.link(client, ['10.9.0.1/24', 'fd09:0::1/64'], server, ['10.9.0.2/24', 'fd09:0::2/64'])
  await net.link(other, ['10.9.2.1/24'], server, ['10.9.2.2/24'])
  dropByDefault(server)
  await server.listen([
    { protocol: 'tcp', port: 22, banner: 'ssh' },
    { protocol: 'tcp', port: 25, banner: 'mail' },
  ])
  daemon = await Daemon.start(net, server, {
    access: `${stanza([`FW_ACCESS_TIMEOUT ${LIFETIME}`, 'NAME alice'])}\n${stanza(['NAME bob'], BOB)}`,
  })
})
after(() => net?.close())

function revoke(...words: readonly string[]): Outcome {
  return server.run(ghostportCommand('revoke', '--socket', daemon.path('state/control.sock'), ...words))
}

test('a user: the session ends, although its grant has ended long ago, and the next knock opens again', {
  skip,
}, async () => {
  for (const [mine, at] of [
    ['10.9.0.1', '10.9.0.2'],
    ['fd09::1', 'fd09:0::2'],
  ] as const) {
    await daemon.verdictAfter(() => knock(client, at, '-A', 'tcp/22', '-a', mine))
    const session = await client.connect(at, 22)
    await delay(1000 * (LIFETIME + 1))
    assert.equal(daemon.status().grants.length, 0)
    assert.equal(await session.echoes(), true)
    const done = revoke('alice')
    assert.equal(done.status, 0, done.stderr)
    assert.match(done.stdout, /ended 0 grants and 1 connection of alice/)
    assert.match(done.stdout, /a new knock opens again/)
    assert.notEqual(await session.ended(1_000), undefined)
    await daemon.verdictAfter(() => knock(client, at, '-A', 'tcp/22', '-a', mine))
    assert.equal(await client.tcp(at, 22), 'ssh')
    assert.equal(revoke('--json', 'alice').status, 0)
  }
})

test('an address or a grant: what others have lives on, and the log has each grant', { skip }, async () => {
  await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-A', 'tcp/22', '-a', '10.9.0.1', '-f', '60'))
  await daemon.verdictAfter(() => knock(other, '10.9.2.2', '-A', 'tcp/22', '-a', '10.9.2.1', '-f', '60'))
  const [mine, theirs] = [await client.connect('10.9.0.2', 22), await other.connect('10.9.2.2', 22)]
  const from = daemon.events.length
  const answer = JSON.parse(revoke('--json', '10.9.0.1').stdout)
  assert.deepEqual([answer.connections, answer.shared, answer.revoked.length], [1, 0, 1])
  assert.notEqual(await mine.ended(1_000), undefined)
  assert.equal(await theirs.echoes(), true)
  assert.equal(await client.tcp('10.9.0.2', 22), 'timeout')
  await daemon.until(({ event, ...rest }) => event === 'grant ended' && rest['for'] === '10.9.0.1', from)
  const [grant] = daemon.status().grants as unknown as readonly { id: string }[]
  assert.match(grant?.id ?? '', /^g:[0-9a-f]{8}$/)
  assert.equal(revoke(grant?.id ?? '').status, 0)
  assert.notEqual(await theirs.ended(1_000), undefined)
  assert.equal(daemon.status().grants.length, 0)
})

test('words that name nothing are told apart, with the nearest right one', { skip }, () => {
  const misspelt = revoke('alcie')
  assert.equal(misspelt.status, 1)
  assert.match(misspelt.stderr, /no stanza has the NAME alcie.*ghostport revoke alice/s)
  assert.equal(revoke('g:00000000').status, 1)
  assert.equal(revoke('7').status, 1)
  assert.equal(revoke('g:xyz').status, 64)
  assert.equal(revoke('not a name').status, 64)
  assert.equal(revoke().status, 64)
  const quiet = revoke('198.51.100.9')
  assert.deepEqual([quiet.status, quiet.stdout], [0, '198.51.100.9 has no grant and no connection\n'])
  const absent = server.run(ghostportCommand('revoke', '--socket', daemon.path('state/none.sock'), 'alice'))
  assert.equal(absent.status, 69)
})

test('to disable a user ends what the user has open', { skip }, async () => {
  await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-A', 'tcp/22', '-a', '10.9.0.1'))
  // Bob opens the same for the same address.
  const keys = ['--key-rijndael', BOB.key, '--key-hmac', BOB.hmac]
  const knocks = ghostportCommand('knock', '--no-rc-file', '-D', '10.9.0.2', ...keys, '-A', 'tcp/22', '-a', '10.9.0.1')
  await daemon.verdictAfter(() => client.run(knocks))
  await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-A', 'tcp/22', '-a', '10.9.0.1'))
  const session = await client.connect('10.9.0.2', 22)
  const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
  const done = server.run(ghostportCommand('user', 'disable', 'alice', ...files))
  assert.equal(done.status, 0, done.stderr)
  assert.match(done.stderr, /ended now: grants 1, connections [1-9]/)
  assert.match(done.stderr, /1 of these connections may be of stanza bob: the same port was open/)
  assert.notEqual(await session.ended(1_000), undefined)
  assert.deepEqual(daemon.status().grants, [])
})
