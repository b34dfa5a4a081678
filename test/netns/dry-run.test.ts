/**
 * `ghostport serve --dry-run` with real packets, beside a server that is not dry.
 *
 *   client 10.9.0.1 ── server 10.9.0.2: drops by default; ssh on tcp/22
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { clientAndServer, Daemon, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

describe('a dry run', { skip: netnsUnavailable() }, () => {
  const net = new Network()
  let client: Host
  let server: Host
  let dry: Daemon
  before(async () => {
    ;[client, server] = await clientAndServer(net)
    const access = stanza(['OPEN_PORTS tcp/22', 'ENABLE_CMD_EXEC Y', 'CMD_REGEX touch .*'])
    dry = await Daemon.start(net, server, { access, argv: ['--dry-run'] })
  })
  after(() => net.close())

  it('logs the verdict, and opens nothing', async () => {
    const verdict = await dry.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-s'))
    assert.deepEqual(
      [verdict['dryRun'], verdict.verdict, verdict['grant'], verdict['for']],
      [true, 'granted', 'tcp/22', '10.9.0.1'],
    )
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    assert.equal(server.must(['nft', 'list', 'tables']).includes('ghostport'), false)
  })
  it('refuses what the server would refuse', async () => {
    const verdict = await dry.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/23', '-s'))
    assert.equal(verdict.code, 'ACCESS_PORT_DENIED')
  })
  it('runs no command', async () => {
    const file = dry.path('touched')
    const from = dry.events.length
    knock(client, SERVER, '-C', `touch ${file}`, '-a', '10.9.0.1')
    const told = await dry.until(({ event }) => event === 'command', from)
    assert.deepEqual([told['dryRun'], told['command'], told['end']], [true, `touch ${file}`, 'not run'])
    assert.equal(existsSync(file), false)
  })
  it('says in each line that it is one, and leaves no files', () => {
    assert.deepEqual(
      dry.events.filter((event) => event['dryRun'] !== true),
      [],
    )
    for (const name of ['state/replay.db', 'state/control.sock']) assert.equal(existsSync(dry.path(name)), false, name)
  })
  it('takes nothing from the server beside it', async () => {
    const real = await Daemon.start(net, server, { access: stanza(['OPEN_PORTS tcp/22']) })
    knock(client, SERVER, '-A', 'tcp/22', '-s')
    await real.until(({ verdict }) => verdict === 'granted')
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    await dry.stop()
    assert.equal(real.status().grants.length, 1)
    await real.stop()
  })
})
