/**
 * Stanzas with SPA ports of their own (SPA_PORT), on a server that runs.
 *
 *     client 10.9.0.1 ──── 10.9.0.2 server: tcp/22 behind a default drop
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { clientAndServer, Daemon, ghostportCommand, SERVER, stanza, type TestKeys } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const ADA = { key: 'ada encryption', hmac: 'ada authentication' }
const BOB = { key: 'bob encryption', hmac: 'bob authentication' }
const EVE = { key: 'eve encryption', hmac: 'eve authentication' }
/** Ada has a port, Bob two, and Eve none. */
const ACCESS = [
  stanza(['NAME ada', 'SPA_PORT 5001', 'FW_ACCESS_TIMEOUT 20'], ADA),
  stanza(['NAME bob', 'SPA_PORT 5002, 6000-6010', 'FW_ACCESS_TIMEOUT 20'], BOB),
  stanza(['NAME eve', 'FW_ACCESS_TIMEOUT 20'], EVE),
].join('\n')

describe('stanzas with SPA ports of their own', { skip: netnsUnavailable(), timeout: 500_000 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon | undefined
  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    // For UDP sockets: a packet socket needs no open port.
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'udp', 'dport', '1024-65535', 'accept'])
  })
  afterEach(async () => {
    await daemon?.stop()
    daemon = undefined
  })
  after(() => net.close())

  const serve = async (lines: readonly string[] = [], access = ACCESS): Promise<Daemon> => {
    daemon = await Daemon.start(net, server, { server: ['LOG_LIMIT 1000', ...lines], access })
    return daemon
  }
  const knock = (keys: TestKeys & { hmac: string }, port: number | undefined, ...more: readonly string[]): void => {
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
    client.must(
      ghostportCommand(
        'knock',
        '--no-rc-file',
        '-D',
        SERVER,
        ...(port === undefined ? [] : ['-p', `${port}`]),
        ...secrets,
        '-A',
        'tcp/22',
        '-a',
        '10.9.0.1',
        ...more,
      ),
    )
  }
  const verdict = async (keys: typeof ADA, port: number): Promise<string> => {
    const { verdict, code } = await (daemon as Daemon).verdictAfter(() => knock(keys, port))
    return verdict === 'granted' ? 'granted' : `${code}`
  }

  for (const capture of ['packet', 'udp'])
    it(`open at their own ports and at no other, with CAPTURE ${capture}`, async () => {
      const access = capture === 'udp' ? ACCESS.replace('6000-6010', '6005') : ACCESS
      await serve([`CAPTURE ${capture}`], access)
      assert.equal(await verdict(ADA, 5001), 'granted')
      await client.until('ssh', { protocol: 'tcp', address: SERVER, port: 22 })
      assert.equal(await verdict(BOB, 6005), 'granted')
      assert.equal(await verdict(EVE, 62201), 'granted')
      for (const [keys, port] of [
        [ADA, 5002],
        [ADA, 6005],
        [ADA, 62201],
        [BOB, 5001],
        [BOB, 62201],
        [EVE, 5001],
        [EVE, 6005],
      ] as const)
        assert.equal(await verdict(keys, port), 'SPA_HMAC_MISMATCH', `${keys.key} at port ${port}`)
    })

  it('know a source that knocks at several ports', async () => {
    await serve()
    for (let i = 0; i < 3; i++) {
      assert.equal(await verdict(ADA, 5001), 'granted')
      assert.equal(await verdict(EVE, 62201), 'granted')
    }
    const { events } = daemon as Daemon
    assert.deepEqual(
      events.filter(({ event }) => event === 'receiver mistrusted'),
      [],
    )
  })

  it('a packet to a port of nobody is refused like one from a source of nobody', async () => {
    await serve([], stanza(['SPA_PORT 5001'], ADA))
    const refused = await (daemon as Daemon).verdictAfter(() => knock(ADA, 62201))
    assert.equal(refused.code, 'ACCESS_NO_SOURCE')
    assert.match(`${refused['detail']}`, /no stanza is for 10\.9\.0\.1 at port 62201/)
  })

  it('random ports of a client lie in the range of its stanza', async () => {
    await serve([], stanza(['SPA_PORT 10000-65534'], ADA))
    const heard = await (daemon as Daemon).verdictAfter(() => knock(ADA, undefined, '-r'))
    assert.equal(heard.verdict, 'granted')
  })

  it('a reload brings other ports, keeps what is open, and loses no packet', async () => {
    const running = await serve([], stanza(['SPA_PORT 5001', 'FW_ACCESS_TIMEOUT 60'], ADA))
    assert.equal(await verdict(ADA, 5001), 'granted')
    const { pid } = running
    const from = running.events.length
    running.configure({
      server: ['LOG_LIMIT 1000'],
      access: [stanza(['SPA_PORT 7001', 'FW_ACCESS_TIMEOUT 60'], ADA), stanza(['SPA_PORT 7002'], BOB)].join('\n'),
    })
    running.reload()
    await running.until(({ event }) => event === 'capture', from)
    // The new sockets are there already, and the next receiver is not yet.
    knock(BOB, 7002)
    const heard = await running.until(({ verdict }) => verdict === 'granted', from)
    assert.equal(heard.stanza, 2)
    assert.equal(await verdict(ADA, 7001), 'granted')
    assert.equal(running.pid, pid)
    assert.equal(running.status().grants.length, 1)
    assert.deepEqual(
      running.events.slice(from).filter(({ level, event }) => level === 'error' || event === 'receiver lost'),
      [],
    )
  })

  it('a UDP socket for another port needs a restart, and a reload says so', async () => {
    const running = await serve(['CAPTURE udp'], stanza(['SPA_PORT 5001'], ADA))
    const from = running.events.length
    running.configure({ server: ['CAPTURE udp', 'LOG_LIMIT 1000'], access: stanza(['SPA_PORT 7001'], ADA) })
    running.reload()
    const refused = await running.until(({ event }) => event === 'reload refused', from)
    assert.match(`${refused['detail']}`, /a restart .* needed to change SPA_PORT/)
    assert.equal(await verdict(ADA, 5001), 'granted')
  })

  it('the kernel takes a filter of a thousand ports', async () => {
    const many = Array.from({ length: 1000 }, (_, i) =>
      stanza([`SPA_PORT ${20_000 + 3 * i}`], i === 999 ? ADA : { key: `k${i}`, hmac: `h${i}` }),
    )
    await serve([], many.join('\n'))
    assert.equal(await verdict(ADA, 20_000 + 3 * 999), 'granted')
    assert.equal(await verdict(ADA, 20_000), 'SPA_HMAC_MISMATCH')
  })

  it('the real fwknop knocks at the port with -p', async () => {
    await serve()
    const keys = ['--key-rijndael', ADA.key, '--key-hmac', ADA.hmac, '--use-hmac']
    const fwknop = [
      'fwknop',
      '--no-rc-file',
      '--no-home-dir',
      '--no-save-args',
      '-E',
      'none',
      '-D',
      SERVER,
      '-p',
      '5001',
    ]
    const heard = await (daemon as Daemon).verdictAfter(() =>
      client.must([...fwknop, ...keys, '-A', 'tcp/22', '-a', '10.9.0.1']),
    )
    assert.equal(heard.verdict, 'granted')
  })

  it('check, explain and simulate know it', async () => {
    const { directory } = await serve()
    const files = ['-c', `${directory}/fwknopd.conf`, '-a', `${directory}/access.conf`]
    const policy = server.must(ghostportCommand('check', ...files))
    assert.match(policy, /packets to port\s+udp 5001 \(SPA_PORT\)/)
    assert.match(policy, /udp 62201; for stanzas with SPA_PORT: 5001-5002, 6000-6010/)
    const asked = ['--from', '10.9.0.1', '-A', 'tcp/22', '--stanza', 'ada']
    assert.equal(server.run(ghostportCommand('simulate', ...files, ...asked, '--port', '5001')).status, 0)
    const elsewhere = server.run(ghostportCommand('simulate', ...files, ...asked, '--port', '62201'))
    assert.equal(elsewhere.status, 1)
    assert.match(elsewhere.stdout, /the stanza does not answer at port 62201/)
    const packet = client.must(
      ghostportCommand(
        'knock',
        '--no-rc-file',
        '-D',
        SERVER,
        '--key-rijndael',
        ADA.key,
        '--key-hmac',
        ADA.hmac,
        '-A',
        'tcp/22',
        '-a',
        '10.9.0.1',
        '-T',
        '-p',
        '5001',
      ),
    )
    const text = packet.split('\n').find((line) => /^[A-Za-z0-9+/]{100,}$/.test(line)) ?? assert.fail(packet)
    assert.equal(server.run(ghostportCommand('explain', ...files, '--port', '5001', text)).status, 0)
    assert.equal(server.run(ghostportCommand('explain', ...files, '--port', '5002', text)).status, 1)
  })
})
