/**
 * Living with a cluster: a full etcd, certificates that expire on both sides, another authority, another password. Real
 * etcd with TLS and logins, a real daemon, on one host. What helps needs no restart of the node.
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, dropByDefault, ghostportCommand, keys, type LogEvent, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { SecuredEtcd } from '../support/secured-etcd.ts'
import type { Certificate } from '../support/tls-certificate.ts'

const SERVER = '10.9.1.2'
const CLIENT = '10.9.1.1'
const NAMES = ['IP:127.0.0.1', 'DNS:localhost']

describe('living with a cluster', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let etcd: SecuredEtcd
  let daemon: Daemon
  let folder: string
  let from = 0

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`])
    dropByDefault(server)
    server.must(['ip', 'link', 'set', 'lo', 'up'])
    etcd = await SecuredEtcd.start(['--quota-backend-bytes', `${4 * 1024 * 1024}`], server)
    for (const words of [
      ['role', 'add', 'front'],
      ['role', 'grant-permission', 'front', '--prefix=true', 'readwrite', 'ghostport/front/'],
      ['user', 'add', 'spa:first'],
      ['user', 'grant-role', 'spa', 'front'],
    ])
      etcd.etcdctl(words, false)
    await etcd.enableLogins()
    folder = net.directory()
    write('password', 'first\n')
    write('ca.pem', etcd.authority.cert)
    show(own(10))
    daemon = await Daemon.start(net, server, {
      access: stanza(['FW_ACCESS_TIMEOUT 2'], keys),
      server: [
        `CLUSTER etcds://spa@${etcd.at}/front`,
        'CLUSTER_NODE node-1',
        `CLUSTER_PASSWORD_FILE ${join(folder, 'password')}`,
        `CLUSTER_CA_FILE ${join(folder, 'ca.pem')}`,
        `CLUSTER_CERTIFICATE_FILE ${join(folder, 'node.pem')}`,
        `CLUSTER_KEY_FILE ${join(folder, 'node.key')}`,
      ],
    })
    await usable()
  })
  beforeEach(() => {
    from = daemon.events.length
  })
  after(async () => {
    await etcd?.stop()
    await net?.close()
    if (etcd !== undefined) rmSync(etcd.folder, { recursive: true })
  })

  function write(name: string, text: string): void {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
  }

  /** What the node shows to etcd. */
  function show({ cert, key }: Certificate): void {
    write('node.pem', cert)
    write('node.key', key)
  }

  const own = (days?: number): Certificate => etcd.authority.issue(['DNS:node-1'], days, '/O=ghostport')

  async function usable(): Promise<void> {
    for (const deadline = performance.now() + 60_000; ; await delay(100)) {
      const { cluster } = daemon.status() as { readonly cluster?: { readonly usable: boolean } }
      if (cluster?.usable) return
      assert.ok(performance.now() < deadline, JSON.stringify(cluster))
    }
  }

  async function unusable(why: RegExp): Promise<void> {
    await daemon.until(({ event, detail }) => event === 'cluster unusable' && why.test(`${detail}`), from, 60_000)
  }

  async function knock(): Promise<LogEvent> {
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
    const words = ['--no-rc-file', '-D', SERVER, '-a', CLIENT, '-A', 'tcp/22', '--test', '--verbose']
    const text = /[A-Za-z0-9+/]{140,}/.exec(client.must(ghostportCommand('knock', ...words, ...secrets)))?.[0]
    assert.ok(text)
    const at = daemon.events.length
    sendPacket(client, SERVER, text)
    return await daemon.until(({ verdict }) => verdict !== undefined, at, 60_000)
  }
  const outcome = ({ verdict, code, detail }: LogEvent): string =>
    verdict === 'granted' ? 'granted' : `${code} ${String(detail)}`

  it('refuses knocks while etcd is full, says so, and goes on when there is room again', async () => {
    const stuffing = 'x'.repeat(900_000)
    for (let i = 0; i < 6; i++)
      try {
        etcd.etcdctl(['put', `stuffing-${i}`], true, stuffing)
      } catch (error) {
        assert.match(String(error), /database space exceeded/)
      }
    assert.match(etcd.etcdctl(['alarm', 'list']), /NOSPACE/)
    // etcd lets claims through under a lease that is there, and refuses a new lease: each minute, one is needed.
    await daemon.restart()
    from = 0
    await unusable(/database space exceeded/)
    assert.match(outcome(await knock()), /^CLUSTER_UNREACHABLE .*database space exceeded/)
    etcd.etcdctl(['del', '--prefix', 'stuffing-'])
    const status = etcd.etcdctl(['endpoint', 'status', '-w', 'json'])
    const revision = /"revision":([0-9]+)/.exec(status)?.[1] ?? ''
    etcd.etcdctl(['compact', revision])
    etcd.etcdctl(['defrag', '--cluster'])
    etcd.etcdctl(['alarm', 'disarm'])
    await usable()
    assert.equal(outcome(await knock()), 'granted')
  })

  it('notices a member’s expired certificate, and needs nothing when it is renewed', async () => {
    etcd.show(etcd.authority.issue(NAMES, -1))
    await etcd.stop()
    await etcd.begin()
    await unusable(/certificate has expired/)
    assert.match(outcome(await knock()), /^CLUSTER_UNREACHABLE .*certificate has expired/)
    etcd.show(etcd.authority.issue(NAMES))
    await usable()
    assert.equal(outcome(await knock()), 'granted')
  })

  it('is shut from the moment in which its password is another one, until it has that', async () => {
    etcd.etcdctl(['user', 'passwd', 'spa', '--interactive=false'], true, 'second\n')
    assert.match(outcome(await knock()), /^CLUSTER_UNREACHABLE .*authentication failed/)
    write('password', 'second\n')
    daemon.reload()
    await daemon.until(({ event }) => event === 'cluster renewed', from, 60_000)
    await usable()
    assert.equal(outcome(await knock()), 'granted')
  })

  it('refuses no knock while its password changes, if it knows the next one', async () => {
    write('password', 'second\nthird\n')
    daemon.reload()
    await daemon.until(({ event }) => event === 'cluster renewed', from, 60_000)
    assert.equal(outcome(await knock()), 'granted')
    etcd.etcdctl(['user', 'passwd', 'spa', '--interactive=false'], true, 'third\n')
    assert.equal(outcome(await knock()), 'granted')
    await etcd.stop()
    await etcd.begin()
    await usable()
    assert.equal(outcome(await knock()), 'granted')
    write('password', 'third\n')
    daemon.reload()
    await daemon.until(({ event }) => event === 'cluster renewed', from, 60_000)
    assert.equal(outcome(await knock()), 'granted')
  })

  it('shows a certificate to an etcd that asks for one: its end is seen before, and a new one is taken with a reload', async () => {
    await etcd.stop()
    await etcd.begin(true)
    await usable()
    assert.equal(outcome(await knock()), 'granted')
    const check = ['cluster', 'check', '--only', 'TLS', '-c', daemon.path('fwknopd.conf')]
    assert.match(server.run(ghostportCommand(...check)).stdout, /CLUSTER_CERTIFICATE_FILE.* ends/)

    // With a name of its own: the login counts, and not the name.
    from = daemon.events.length
    show(etcd.authority.issue(['DNS:node-1']))
    daemon.reload()
    await daemon.until(({ event }) => event === 'cluster renewed', from, 60_000)
    await usable()
    assert.equal(outcome(await knock()), 'granted')
    show(own(-1))
    daemon.reload()
    await unusable(/bad certificate.*CLUSTER_CERTIFICATE_FILE/)
    assert.match(server.run(ghostportCommand(...check)).stdout, /error: CLUSTER_CERTIFICATE_FILE has ended/)
    from = daemon.events.length
    show(own())
    daemon.reload()
    await daemon.until(({ event }) => event === 'cluster renewed', from, 60_000)
    await usable()
    assert.equal(outcome(await knock()), 'granted')
    await etcd.stop()
    await etcd.begin()
  })

  it('takes another authority with a reload, and keeps the old one where the file cannot be used', async () => {
    write('ca.pem', 'nonsense\n')
    daemon.reload()
    await daemon.until(({ detail }) => /CLUSTER_CA_FILE/.test(`${detail}`), from, 60_000)
    assert.equal(outcome(await knock()), 'granted')
    const next = SecuredEtcd.otherAuthority()
    write('ca.pem', `${etcd.authority.cert}${next.cert}`)
    daemon.reload()
    await daemon.until(({ event }) => event === 'cluster renewed', from, 60_000)
    etcd.show(next.issue(NAMES))
    await etcd.stop()
    await etcd.begin()
    await usable()
    assert.equal(outcome(await knock()), 'granted')
  })
})
