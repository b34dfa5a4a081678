/**
 * `serve --fw-flush`: what it needs, and what it says about the host after ghostport is removed. A client, a server
 * with two services.
 */
import assert from 'node:assert/strict'
import { appendFileSync, rmSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, knock, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const skip = netnsUnavailable()
const SERVER = '10.9.0.1'
let net: Network
let client: Host
let server: Host

if (skip === false) {
  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, ['10.9.0.2/24', 'fd09::2/64'], server, [`${SERVER}/24`, 'fd09::1/64'])
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'ssh' },
      { protocol: 'tcp', port: 2222, banner: 'another ssh' },
    ])
  })
  after(() => net.close())
}

/** A server that ran, with a grant for tcp/22, and the files that it left. */
async function gone(
  ...lines: string[]
): Promise<{ flush: (...env: string[]) => Outcome; path: (name: string) => string }> {
  server.run(['nft', 'flush', 'ruleset'])
  dropByDefault(server)
  const daemon = await Daemon.start(net, server, { server: lines, access: stanza() })
  await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
  await daemon.stop()
  const path = (name: string): string => daemon.path(name)
  const words = ghostportCommand('serve', '-c', path('fwknopd.conf'), '-a', path('access.conf'), '--fw-flush')
  return { path, flush: (...env) => server.run(['env', ...env, ...words]) }
}

const tables = (): string => server.must(['nft', 'list', 'tables'])

describe('--fw-flush', { skip }, () => {
  it('leaves a table of the host alone that NFT_TABLE names, and so does a start', async () => {
    const { flush, path } = await gone('NFT_TABLE filter2')
    server.must(['nft', 'delete', 'table', 'inet', 'filter2'])
    server.must(['nft', 'add', 'table', 'inet', 'filter2'])
    server.must([
      'nft',
      'add',
      'chain',
      'inet',
      'filter2',
      'input',
      '{ type filter hook input priority 5; policy drop; }',
    ])
    const chains = server.must(['nft', 'list', 'ruleset'])
    const words = ['serve', '-c', path('fwknopd.conf'), '-a', path('access.conf')]
    const said =
      /fwknopd\.conf:\d+: .*NFT_TABLE: the table “inet filter2” of this host is not ghostport’s: it has a chain “input”.* — perhaps: NFT_TABLE ghostport; \[CONFIG_CONFLICT\]/
    for (const outcome of [
      server.run(ghostportCommand(...words)),
      server.run(ghostportCommand(...words, '--exit-parse-config')),
    ]) {
      assert.equal(outcome.status, 78, outcome.stdout)
      assert.match(outcome.stderr, said)
    }
    const flushed = flush()
    assert.equal(flushed.status, 78, flushed.stdout)
    assert.match(flushed.stderr, said)
    assert.equal(server.must(['nft', 'list', 'ruleset']), chains)
  })

  it('needs no access.conf, and says what to do before the session is closed', async () => {
    const { flush, path } = await gone()
    rmSync(path('access.conf'))
    const outcome = flush()
    assert.deepEqual(
      [outcome.status, outcome.stdout],
      [0, 'The table “inet ghostport” is gone, and every grant with it.\n'],
    )
    assert.doesNotMatch(tables(), /ghostport/)
    assert.match(outcome.stderr, /^warning: now tcp\/22 is shut to everybody: inet filter input drops it\n/)
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 250 }), 'timeout')
    const [, cure = ''] = /Before you close it, let your way in: (.*)$/m.exec(outcome.stderr) ?? []
    server.must(cure.split(' '))
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
  })

  it('speaks of the port that the ssh session came in by', async () => {
    const { flush } = await gone()
    server.must([
      'nft',
      'insert',
      'rule',
      'inet',
      'filter',
      'input',
      'ip',
      'saddr',
      '10.9.0.2',
      'tcp',
      'dport',
      '22',
      'accept',
    ])
    const { stderr } = flush('SSH_CONNECTION=10.9.0.2 50000 10.9.0.1 2222')
    assert.match(stderr, /warning: now tcp\/2222 is shut to everybody/)
    assert.match(
      stderr,
      /warning: now IPv4: tcp\/22 is shut to everybody, unless “inet filter input: ip saddr 10.9.0.2 tcp dport 22 accept” lets/,
    )
    assert.match(stderr, /warning: now IPv6: tcp\/22 is shut to everybody: inet filter input drops it/)
  })

  it('says of a gate what is open now', async () => {
    const { flush } = await gone('FIREWALL_MODE gate', 'PROTECTED_PORTS tcp/22, tcp/2222')
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '22', 'accept'])
    const { stderr, status } = flush()
    assert.equal(status, 0)
    assert.match(stderr, /warning: now tcp\/22 is open to everybody\n(.*\n)*.*Nothing asks for a knock there any more/)
    assert.match(stderr, /note: now tcp\/2222 is shut to everybody/)
    assert.doesNotMatch(stderr, /let your way in/)
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
  })

  it('does without fwknopd.conf: with the default table, and says so', async () => {
    const { flush, path } = await gone()
    rmSync(path('fwknopd.conf'))
    const { stderr, status } = flush()
    assert.equal(status, 0)
    assert.match(
      stderr,
      /^warning: .*fwknopd\.conf.*\[CONFIG_UNREADABLE\]\n.*“inet ghostport”, the default of NFT_TABLE\n/,
    )
    assert.doesNotMatch(tables(), /ghostport/)
  })

  it('finds the table’s name in a file that is wrong elsewhere', async () => {
    const { flush, path } = await gone('NFT_TABLE spa_2')
    appendFileSync(path('fwknopd.conf'), 'NO_SUCH_SETTING 1;\n')
    const { stderr, status } = flush()
    assert.equal(status, 0)
    assert.match(stderr, /^warning: .*\[CONFIG_UNKNOWN_KEY\]\n.*“inet spa_2”, as NFT_TABLE says there\n/)
    assert.doesNotMatch(tables(), /spa_2/)
  })

  it('says where there is nothing to remove, and which other table looks like ghostport’s', async () => {
    const { flush, path } = await gone('NFT_TABLE spa_2')
    rmSync(path('fwknopd.conf'))
    const { stdout, stderr, status } = flush()
    assert.deepEqual([status, stdout], [0, 'There was no table “inet ghostport”: nothing was removed.\n'])
    const [, line = ''] = /To remove it: (nft delete table inet spa_2)$/m.exec(stderr) ?? []
    server.must(line.split(' '))
    assert.doesNotMatch(tables(), /spa_2/)
  })
})
