/**
 * A real ssh session through doors of the real fwknopd: `--wait`, `ghostport ssh`, and `ghostport proxy` as ProxyCommand.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server: fwknopd, sshd on 22 (shut), on 80 whoever waits for the client to speak (the decoy)
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { ghostportCommand, startFwknopd } from './client-fwknopd.ts'

const SERVER = '10.9.0.2'

describe('ssh through a door that only a knock opens', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let home: string
  let sshOptions: readonly string[]

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    home = net.directory()
    await startSshd()
    const decoy = server.start(['socat', 'TCP-LISTEN:80,fork,reuseaddr', 'EXEC:cat'])
    server.must([
      'sh',
      '-c',
      'for i in $(seq 100); do ss -Hltn "sport = :80" | grep -q . && exit; sleep 0.05; done; exit 1',
    ])
    assert.ok(decoy.pid)
    const keys = [
      ['KEY', 'front-door'],
      ['HMAC_KEY', 'brass-knocker'],
    ] as const
    await startFwknopd(net, server, [[['SOURCE', 'ANY'], ...keys, ['FW_ACCESS_TIMEOUT', '3']]])
    server.must(['iptables', '-I', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'ACCEPT'])

    const stanza = (name: string, ...more: string[]): string[] => [`[${name}]`, `SPA_SERVER ${SERVER}`, ...more, '']
    const rc = [
      '[default]',
      'ALLOW_IP source',
      ...keys.map((words) => words.join(' ')),
      '',
      ...stanza('plain', 'ACCESS tcp/22'),
      ...stanza('ghost', 'ACCESS tcp/22', 'NAT_LOCAL Y', 'NAT_PORT 80'),
      ...stanza('stranger', 'ACCESS tcp/22', 'NAT_LOCAL Y', 'NAT_PORT 80', 'HMAC_KEY other'),
      ...stanza('elsewhere', 'ACCESS tcp/443'),
    ]
    writeFileSync(join(home, '.fwknoprc'), rc.join('\n'), { mode: 0o600 })
  })
  after(() => net?.close())

  async function startSshd(): Promise<void> {
    for (const name of ['host', 'user'])
      client.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(home, name)])
    copyFileSync(join(home, 'user.pub'), join(home, 'authorized'))
    mkdirSync('/run/sshd', { recursive: true })
    const config = {
      Port: '22',
      HostKey: join(home, 'host'),
      AuthorizedKeysFile: join(home, 'authorized'),
      StrictModes: 'no',
      UsePAM: 'no',
      PidFile: 'none',
      PermitRootLogin: 'prohibit-password',
    }
    const path = join(home, 'sshd_config')
    writeFileSync(
      path,
      Object.entries(config)
        .map((words) => `${words.join(' ')}\n`)
        .join(''),
    )
    await server.start(['/usr/sbin/sshd', '-D', '-e', '-f', path]).says(/Server listening on 0\.0\.0\.0 port 22/)
    const known = `UserKnownHostsFile=${join(home, 'known_hosts')}`
    sshOptions = [
      '-F',
      'none',
      '-i',
      join(home, 'user'),
      ...['BatchMode=yes', 'StrictHostKeyChecking=no', 'LogLevel=ERROR', known].flatMap((it) => ['-o', it]),
    ]
  }

  const ghostport = (...argv: readonly string[]) => client.run(ghostportCommand(...argv), { env: { HOME: home } })
  /** Doors of the tests before are shut again. */
  const shut = async (): Promise<void> => {
    const nat = (): string =>
      server.must(['iptables', '-t', 'nat', '-S', 'FWKNOP_PREROUTING']) +
      server.must(['iptables', '-S', 'FWKNOP_INPUT'])
    const deadline = performance.now() + 8_000
    while (/-s /.test(nat())) {
      assert.ok(performance.now() < deadline, nat())
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  it('knock --wait says when the door is open', async () => {
    assert.equal(await client.tcp(SERVER, 22), 'refused')
    const { status, stdout, stderr } = ghostport('knock', '-n', 'plain', '--wait')
    assert.equal(status, 0, stderr)
    assert.match(
      stdout,
      /^sent to 10\.9\.0\.2 port 62201\/udp: tcp\/22 for the address it arrives from\nopen after [0-9.]+ ms: 10\.9\.0\.2 port 22\n$/,
    )
    assert.match(await client.tcp(SERVER, 22), /^SSH-2\.0/)
  })

  it('knock --wait is not taken in by the decoy on a public port', async () => {
    await shut()
    const { status, stderr } = ghostport('knock', '-n', 'stranger', '--wait', '--wait-limit', '0.7')
    assert.equal(status, 1)
    assert.match(stderr, /port 80 accepts connections, but does not speak first/)
    assert.match(stderr, /--wait-for connect/)
    const believing = ghostport('knock', '-n', 'stranger', '--wait', '--wait-for', 'connect')
    assert.equal(believing.status, 0, 'a mere connection is what was asked for')
    assert.match(believing.stdout, /^was open already: 10\.9\.0\.2 port 80/m)
    const { status: opened, stdout } = ghostport('knock', '-n', 'ghost', '--wait', '--json')
    assert.equal(opened, 0)
    const said = JSON.parse(stdout)
    assert.equal(said.open.port, 80)
    assert.ok(said.open.milliseconds > 0 && said.open.milliseconds < 5_000)
    assert.equal(said.open.already, false)
  })

  for (const [name, what] of [
    ['plain', 'a port'],
    ['ghost', 'a ghost service'],
  ] as const)
    it(`knock --wait does not take the credit for ${what} that an earlier grant opened`, async () => {
      await shut()
      assert.match(ghostport('knock', '-n', name, '--wait').stdout, /^open after/m)
      const { status, stdout } = ghostport('knock', '-n', name, '--wait', '--json', '--key-hmac', 'wrong')
      assert.equal(status, 0)
      assert.deepEqual(JSON.parse(stdout).open.already, true, stdout)
    })

  it('ghostport ssh and proxy connect where the port is open already', async () => {
    await shut()
    assert.equal(ghostport('knock', '-n', 'plain', '--wait').status, 0)
    const wrong = ['-v', '--key-hmac', 'wrong', 'plain']
    const { status, stdout, stderr } = ghostport('ssh', ...wrong, ...sshOptions, '-l', 'root', 'echo here')
    assert.equal(status, 0, stderr)
    assert.match(stderr, /was open already/)
    assert.equal(stdout, 'here\n')
    const spliced = ghostport('proxy', ...wrong, '22')
    assert.match(spliced.stdout, /^SSH-2\.0/)
    assert.match(spliced.stderr, /was open already/)
  })

  for (const name of ['plain', 'ghost'])
    it(`ghostport ssh ${name} runs a command there`, async () => {
      await shut()
      const { status, stdout, stderr } = ghostport('ssh', `root@${name}`, ...sshOptions, 'echo $SSH_CONNECTION; exit 7')
      assert.equal(stdout.trim().split(' ').slice(2).join(' '), `${SERVER} 22`, stderr)
      assert.equal(status, 7, 'the exit status is ssh’s')
    })

  for (const name of ['plain', 'ghost'])
    it(`ghostport proxy carries ssh to ${name}`, async () => {
      await shut()
      const proxy = `ProxyCommand=${ghostportCommand('proxy', '%h', '%p').join(' ')}`
      const argv = ['ssh', ...sshOptions, '-o', proxy, `root@${name}`, 'wc -c; echo done']
      const { status, stdout, stderr } = client.run(argv, { env: { HOME: home }, input: 'x'.repeat(3_000_000) })
      assert.equal(status, 0, stderr)
      assert.equal(stdout, '3000000\ndone\n', 'everything went through, both ways, to its end')
    })

  it('ghostport proxy refuses a stanza that opens another port', () => {
    const { status, stderr } = ghostport('proxy', 'elsewhere', '22')
    assert.equal(status, 64)
    assert.match(stderr, /does not open tcp\/22 — perhaps: -A tcp\/22/)
  })

  it('ghostport ssh says why where the door stays shut, and starts no ssh', async () => {
    await shut()
    const { status, stderr } = ghostport('ssh', '--wait-limit', '0.5', 'stranger', ...sshOptions, 'true')
    assert.equal(status, 1)
    assert.match(stderr, /PORT_NOT_OPEN/)
  })
})
