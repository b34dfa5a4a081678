/**
 * A knock through a gateway: real gateway, real server, real sshd; and a real fwknopd in place of the server.
 *
 *   client 10.9.1.1 ── 10.9.1.2 gateway 10.9.0.1 ── 10.9.0.2 server, which drops by default: sshd on tcp/22
 *          10.9.2.1 ─────────────────────────────── 10.9.2.2
 *          10.9.4.1 ── 10.9.4.2 peer 10.9.3.2 ── 10.9.3.1 gateway: fwknopd, and a service on tcp/22
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startFwknopd } from '../interop/client-fwknopd.ts'
import { Daemon, dropByDefault, eventsIn, ghostportCommand, keys, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome, type Program } from '../support/netns.ts'

const GATE = 'https://10.9.1.2'
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('a knock through a gateway', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let gate: Host
  let server: Host
  let gateway: Program
  let sshd: Program
  let fingerprint: string

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    gate = await net.host('gateway')
    server = await net.host('server')
    await net.link(client, ['10.9.1.1/24'], gate, ['10.9.1.2/24'])
    await net.link(gate, ['10.9.0.1/24'], server, ['10.9.0.2/24'])
    await net.link(client, ['10.9.2.1/24'], server, ['10.9.2.2/24'])
    const folder = net.directory()
    const file = join(folder, 'gateway.conf')
    const lines = [
      'LISTEN https://10.9.1.2:443, https://10.9.1.2:8443',
      'HOST 10.9.1.2',
      'TARGET office 10.9.0.2',
      'TARGET peer 10.9.3.2',
      `STATE_FOLDER ${join(folder, 'state')}`,
      'USER nobody',
      'RECEIPT_WAIT 700',
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    gateway = gate.start(ghostportCommand('gateway', '--config', file))
    await gateway.says(/"event":"ready"/)
    fingerprint = String(eventsIn(gateway.output).find(({ event }) => event === 'ready')?.['fingerprint'])
    dropByDefault(server)
    sshd = await startSshd(folder)
  })
  after(async () => {
    await sshd?.stop()
    await net?.close()
  })

  async function startSshd(folder: string): Promise<Program> {
    mkdirSync('/run/sshd', { recursive: true })
    server.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'host-key')])
    const options = ['-o', 'PidFile=none', '-o', 'UsePAM=no', '-o', 'ListenAddress=0.0.0.0']
    const program = server.start([
      '/usr/sbin/sshd',
      '-D',
      '-e',
      '-f',
      '/dev/null',
      '-h',
      join(folder, 'host-key'),
      ...options,
    ])
    await program.says(/Server listening/)
    return program
  }

  /** What sshd says first. Nothing within this time: the door is shut. On a busy machine sshd needs seconds. */
  const banner = (seconds = 10): string =>
    client.run(['timeout', `${seconds}`, 'bash', '-c', 'exec 3<>/dev/tcp/10.9.2.2/22 && head -c 7 <&3']).stdout
  const isShut = (): void => assert.equal(banner(2), '')

  /** @param lifetime of a grant, in seconds. */
  const serve = (lines: readonly string[] = ['GATEWAY_RECEIPTS Y'], lifetime = 4): Promise<Daemon> =>
    Daemon.start(net, server, {
      server: ['GATEWAY_ADDRESSES 10.9.0.1', ...lines],
      access: stanza(['OPEN_PORTS tcp/22', `FW_ACCESS_TIMEOUT ${lifetime}`]),
    })
  /** For grants that a knock ends: on a busy machine, a program takes seconds to begin. */
  const serveLong = (): Promise<Daemon> => serve(undefined, 60)

  /** With the keys and the gateway in the rc file, so that flags override them. */
  function knock(...argv: readonly string[]): Outcome {
    return client.run(ghostportCommand('knock', '--rc-file', rcFile(), ...argv))
  }

  /** What the page of `ghostport ui` is told of a knock. */
  function uiEvents(wanted: object): readonly Record<string, unknown>[] {
    const module = fileURLToPath(new URL('../../src/client-ui/knock-events.ts', import.meta.url))
    const given = JSON.stringify({ name: 'office', wait: false, ...wanted })
    const script = `const { knockWith } = await import(${JSON.stringify(module)})
      await knockWith(${JSON.stringify(rcFile('[office]\nACCESS tcp/22\n'))}, ${given},
        (event) => console.log(JSON.stringify(event)), new AbortController().signal)`
    const command = [process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e', script]
    const lines = client.must(command).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  function rcFile(more = ''): string {
    const file = join(net.directory(), 'rc')
    const secrets = [`KEY_BASE64 ${base64(keys.key)}`, `HMAC_KEY_BASE64 ${base64(keys.hmac)}`]
    const rc = [...secrets, 'SPA_SERVER 10.9.2.2', 'SPA_SERVER_PROTO https']
    const way = [`GATEWAY ${GATE}`, 'GATEWAY_TARGET office', `GATEWAY_FINGERPRINT ${fingerprint}`]
    writeFileSync(file, `${['[default]', ...rc, ...way].join('\n')}\n${more}`, { mode: 0o600 })
    return file
  }

  it('the gateway runs without privilege, and says by which certificate it is known', () => {
    const status = readFileSync(`/proc/${gateway.pid}/status`, 'utf8')
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
    assert.match(status, /^CapEff:\t0+$/m)
    assert.match(status, /^NoNewPrivs:\t1$/m)
    assert.match(fingerprint, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  })

  it('opens ssh, and brings the server’s receipt', async () => {
    const daemon = await serveLong()
    try {
      isShut()
      const sent = knock('-A', 'tcp/22', '-a', '10.9.2.1')
      assert.equal(sent.status, 0, sent.stderr)
      assert.match(sent.stdout, /sent to the gateway 10\.9\.1\.2 port 443\/tcp by https, which answered 202/)
      assert.match(sent.stdout, /open until 20[0-9-]+T[0-9:.]+Z, as the server says/)
      assert.equal(banner(), 'SSH-2.0')
      const closed = knock('-A', 'tcp/22', '-a', '10.9.2.1', '--close')
      assert.match(closed.stdout, /^closed, as the server says$/m, closed.stderr)
      isShut()
    } finally {
      await daemon.stop()
    }
  })

  it('the page of “ghostport ui” hears the receipt, for another device too', async () => {
    const daemon = await serveLong()
    try {
      const opened = uiEvents({ allow: '10.9.2.1' })
      assert.deepEqual(opened.at(-1), { event: 'receipt', verdict: 'open', seconds: 60 })
      assert.equal(banner(), 'SSH-2.0')
      const closed = uiEvents({ allow: '10.9.2.1', close: true })
      assert.deepEqual(closed.at(-1), { event: 'receipt', verdict: 'closed', seconds: null })
      isShut()
      const [, refused] = uiEvents({ allow: '127.0.0.1' })
      assert.deepEqual(
        [refused?.['code'], /ACCESS_SOURCE_UNUSABLE/.test(`${refused?.['detail']}`)],
        ['KNOCK_REFUSED', true],
      )
    } finally {
      await daemon.stop()
    }
  })

  it('ends with the reason of a refusal; and says that nothing is known without a receipt', async () => {
    const daemon = await serve()
    try {
      const denied = knock('-A', 'tcp/80', '-a', '10.9.2.1')
      assert.equal(denied.status, 1, denied.stdout)
      assert.match(denied.stderr, /the stanza does not allow this port \(ACCESS_PORT_DENIED\) \[KNOCK_REFUSED\]/)
      const foreign = knock('-A', 'tcp/22', '-a', '10.9.2.1', '--hmac-digest-type', 'sha512')
      assert.equal(foreign.status, 0, foreign.stderr)
      assert.match(foreign.stdout, /no receipt of the server came/)
      const json = JSON.parse(knock('-A', 'tcp/22', '-a', '10.9.2.1', '--json').stdout)
      assert.equal(json.gateway, '10.9.1.2')
      assert.equal(json.receipt.verdict, 'open')
    } finally {
      await daemon.stop()
    }
  })

  it('waits for the port as every knock does', async () => {
    // What the last grant opened.
    await client.until('timeout', { protocol: 'tcp', address: '10.9.2.2', port: 22 })
    const daemon = await serve([])
    try {
      const opened = knock('-A', 'tcp/22', '-a', '10.9.2.1', '--wait')
      assert.equal(opened.status, 0, opened.stderr)
      assert.match(opened.stdout, /open after [0-9.]+ ms: 10\.9\.2\.2 port 22/)
    } finally {
      await daemon.stop()
    }
  })

  it('finds the own address by two gateways that agree', async () => {
    const daemon = await serve()
    try {
      const verdict = await daemon.verdictAfter(() => {
        const sent = knock(
          '-A',
          'tcp/22',
          '-R',
          '--gateway',
          `${GATE},https://10.9.1.2:8443`,
          '--https-ca-file',
          certificateFile(),
        )
        assert.equal(sent.status, 0, sent.stderr)
        assert.match(
          sent.stderr,
          /your address is 10\.9\.1\.1, as https:\/\/10\.9\.1\.2:443\/v1\/address and https:\/\/10\.9\.1\.2:8443/,
        )
      })
      assert.equal(verdict['for'], '10.9.1.1')
    } finally {
      await daemon.stop()
    }
  })

  /** The second gateway is known by its certificate, since a fingerprint is that of the first. */
  function certificateFile(): string {
    const shown = client.must([
      'bash',
      '-c',
      'openssl s_client -connect 10.9.1.2:8443 </dev/null 2>/dev/null | openssl x509',
    ])
    const file = join(net.directory(), 'gate.pem')
    writeFileSync(file, shown)
    return file
  }

  it('tries the next gateway where one cannot be reached, with a packet of its own', async () => {
    const daemon = await serve()
    try {
      // Nobody listens on 444; 8443 is the same gateway.
      const way = [
        '--gateway',
        'https://10.9.1.2:444,https://10.9.1.2:8443',
        '--gateway-fingerprint',
        `none,${fingerprint}`,
      ]
      const sent = knock('-A', 'tcp/22', '-a', '10.9.2.1', '--json', ...way)
      assert.equal(sent.status, 0, sent.stderr)
      assert.match(
        sent.stderr,
        /the gateway 10\.9\.1\.2 port 444\/tcp: nothing accepts.*The next gateway is tried: 10\.9\.1\.2/s,
      )
      const said = JSON.parse(sent.stdout)
      assert.equal(said.receipt.verdict, 'open')
      assert.deepEqual(
        said.packets.map(({ port }: { readonly port: number }) => port),
        [8443],
      )
      const classic = knock('-A', 'tcp/22', '-a', '10.9.2.1', '--gateway', 'https://10.9.1.2:444')
      assert.notEqual(classic.status, 0)
      // A certificate that is not the expected one is as good as no gateway.
      const pins = ['--gateway-fingerprint', `${'00'.repeat(32)},${fingerprint}`]
      const pinned = knock('-A', 'tcp/22', '-a', '10.9.2.1', ...pins, '--gateway', `${GATE},https://10.9.1.2:8443`)
      assert.equal(pinned.status, 0, pinned.stderr)
      assert.match(pinned.stderr, /another fingerprint.*The next gateway is tried/s)
    } finally {
      await daemon.stop()
    }
  })

  it('refuses a packet that would open for the gateway', () => {
    for (const argv of [['-s'], ['-a', '0.0.0.0']]) {
      const refused = knock('-A', 'tcp/22', ...argv)
      assert.notEqual(refused.status, 0)
      assert.match(refused.stderr, /is that of the gateway, and would let others in/)
    }
    assert.match(knock('-A', 'tcp/22', '-a', '10.9.2.1', '-P', 'udp').stderr, /needs SPA_SERVER_PROTO https/)
  })

  it('opens the same at a real fwknopd', async () => {
    const peer = await net.host('peer')
    await net.link(gate, ['10.9.3.1/24'], peer, ['10.9.3.2/24'])
    await net.link(client, ['10.9.4.1/24'], peer, ['10.9.4.2/24'])
    await peer.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    const fwknopd = await startFwknopd(net, peer, [
      [
        ['SOURCE', 'ANY'],
        ['KEY_BASE64', base64(keys.key)],
        ['HMAC_KEY_BASE64', base64(keys.hmac)],
        ['OPEN_PORTS', 'tcp/22'],
        ['FW_ACCESS_TIMEOUT', '10'],
      ],
    ])
    try {
      assert.equal(await client.tcp('10.9.4.2', 22), 'refused')
      const sent = knock('-A', 'tcp/22', '-a', '10.9.4.1', '--gateway-target', 'peer')
      assert.equal(sent.status, 0, sent.stderr)
      assert.match(sent.stdout, /no receipt of the server came/)
      const ssh = { protocol: 'tcp', address: '10.9.4.2', port: 22 } as const
      await client.until('ssh', ssh).catch((error: Error) => assert.fail(`${error.message}\n${fwknopd.output}`))
    } finally {
      await fwknopd.stop()
    }
  })

  it('logs no packet, no ticket and no address of a visitor', () => {
    assert.doesNotMatch(gateway.output, /10\.9\.1\.1|10\.9\.2\.1|[A-Za-z0-9+/]{100}/)
  })
})
