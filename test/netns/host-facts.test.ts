/**
 * Facts about a real host, found by looking and without a change.
 *
 *   client 10.21.0.1 ── 10.21.0.2 server: sshd on 22, rules of its own
 *          fd21::1   ── fd21::2
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { HostFacts } from '../../src/host/facts.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const FACTS = fileURLToPath(new URL('../../src/host/facts.ts', import.meta.url))
const LOOKER = fileURLToPath(new URL('../../src/host/system-looker.ts', import.meta.url))
/** Prints all facts as JSON, without what maps hold. */
const PROGRAM = `
import { lookAtFacts, factNames } from ${JSON.stringify(FACTS)}
import { systemLooker } from ${JSON.stringify(LOOKER)}
const facts = await lookAtFacts(systemLooker(), factNames)
process.stdout.write(JSON.stringify(facts))
process.exit()
`
const LOOK = [process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e', PROGRAM] as const

describe('facts about a host', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let home: string

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, ['10.21.0.1/24', 'fd21::1/64'], server, ['10.21.0.2/24', 'fd21::2/64'])
    server.must(['ip', 'route', 'add', 'default', 'via', '10.21.0.1'])
    home = net.directory()
    await startSshd()
  })
  after(() => net.close())

  async function startSshd(): Promise<void> {
    for (const name of ['host', 'user'])
      client.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(home, name)])
    copyFileSync(join(home, 'user.pub'), join(home, 'authorized'))
    mkdirSync('/run/sshd', { recursive: true })
    const lines = [
      `HostKey ${join(home, 'host')}`,
      `AuthorizedKeysFile ${join(home, 'authorized')}`,
      'StrictModes no',
      'UsePAM no',
      `SetEnv HOME=${home}`,
      'PidFile none',
    ]
    const path = join(home, 'sshd_config')
    writeFileSync(path, `${lines.join('\n')}\n`)
    await server.start(['/usr/sbin/sshd', '-D', '-e', '-f', path]).says(/Server listening on 0\.0\.0\.0 port 22\./)
  }

  function ssh(address: string, command: string): string {
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'LogLevel=ERROR', 'UserKnownHostsFile=/dev/null']
    const flags = ['-F', 'none', '-i', join(home, 'user'), ...options.flatMap((it) => ['-o', it])]
    return client.must(['ssh', ...flags, `root@${address}`, command], { timeoutMs: 60_000 })
  }

  const quoted = (words: readonly string[]): string =>
    words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const read = (text: string): HostFacts => JSON.parse(text) as HostFacts
  const rules = (host: Host): string =>
    host.must(['nft', 'list', 'ruleset']) +
    host.must(['sh', '-c', 'cat /proc/net/ip_tables_names /proc/net/ip6_tables_names'])

  it('are those of its interfaces, services and ssh server', () => {
    const facts = read(server.must(LOOK))
    assert.ok(facts.interfaces.known && facts.sshd.known && facts.listening.known)
    const eth0 = facts.interfaces.value.find(({ name }) => name === 'eth0')
    assert.deepEqual(eth0?.defaultRoute, ['IPv4'])
    assert.deepEqual(
      eth0.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).filter((it) => !/^fe80/.test(it)),
      ['10.21.0.2/24', 'fd21::2/64'],
    )
    assert.deepEqual(
      facts.sshd.value.map(({ address, port, by }) => `${by} ${address} ${port}`),
      ['sshd 0.0.0.0 22', 'sshd :: 22'],
    )
    assert.ok(facts.kernel.known && facts.nft.known && facts.ownedTables.known && facts.distribution.known)
  })

  it('leave the host as it is: no table is made by looking', () => {
    const untouched = rules(client)
    const nobody = read(client.must(LOOK))
    assert.ok(nobody.managers.known, JSON.stringify(nobody.managers))
    assert.deepEqual(nobody.managers.value.managers, [])
    assert.equal(rules(client), untouched)
  })

  it('say who manages the firewall', async () => {
    const host = await net.host('managed')
    host.must([
      'nft',
      'add table inet mine; add chain inet mine in { type filter hook input priority 0; policy drop; }',
    ])
    const one = read(host.must(LOOK))
    assert.ok(one.managers.known, JSON.stringify(one.managers))
    assert.deepEqual(one.managers.value.managers, [{ name: 'nft', evidence: ['chain in in inet mine'] }])
    host.must(['iptables-nft', '-A', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'ACCEPT'])
    const before = rules(host)
    const two = read(host.must(LOOK))
    assert.ok(two.managers.known)
    assert.deepEqual(
      two.managers.value.managers.map(({ name }) => name),
      ['nft', 'iptables-nft'],
    )
    assert.equal(rules(host), before)
  })

  it('know the session and the mark of its connection, also without the environment of ssh', () => {
    server.must([
      'nft',
      'add table inet m; add chain inet m i { type filter hook input priority 0; }; add rule inet m i tcp dport 22 ct state new ct mark set 0x200000',
    ])
    for (const [address, peer] of [
      ['10.21.0.2', '10.21.0.1'],
      ['fd21::2', 'fd21::1'],
    ] as const) {
      // As sudo does.
      const { session } = read(ssh(address, `env -u SSH_CONNECTION -u SSH_CLIENT ${quoted(LOOK)}`))
      assert.ok(session.known && session.value.kind === 'ssh', JSON.stringify(session))
      const { connection, by, mark } = session.value
      assert.deepEqual([connection.peer, connection.local, connection.localPort, by], [peer, address, 22, 'parents'])
      assert.deepEqual(mark, { known: true, value: 0x200000 })
    }
    server.must(['nft', 'delete table inet m'])
  })
})
