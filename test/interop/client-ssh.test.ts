/**
 * A real ssh session through doors of the real fwknopd: `--wait`, `ghostport ssh`, and `ghostport proxy` as
 * ProxyCommand.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server: fwknopd, sshd on 22 and 2222 (shut), a silent service on 80 (decoy)
 *          fd09::1  ── fd09::2 and 10.9.0.3, where it drops all
 *
 * The server’s names, in an /etc/hosts that only the client sees: `both.test` for both addresses, `two.test` for its
 * IPv4 address and, first, for 10.9.0.3.
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loseNext } from '../support/loss.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { ghostportCommand, startFwknopd } from './client-fwknopd.ts'

const SERVER = '10.9.0.2'

/** Seconds, for a grant that has to be there while a second command runs. */
const LONG = ['-f', '10']

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
    await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], server, [`${SERVER}/24`, '10.9.0.3/24', 'fd09::2/64'])
    server.must(['ip6tables', '-A', 'INPUT', '-p', 'tcp', '-j', 'DROP'])
    server.must(['iptables', '-t', 'raw', '-A', 'PREROUTING', '-d', '10.9.0.3', '-j', 'DROP'])
    home = net.directory()
    const names = [
      '127.0.0.1 localhost',
      'fd09::2 both.test',
      `${SERVER} both.test`,
      '10.9.0.3 two.test',
      `${SERVER} two.test`,
    ]
    writeFileSync(join(home, 'hosts'), `${names.join('\n')}\n`)
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
      ...stanza('other-port', 'ACCESS tcp/2222'),
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
      Port: '22\nPort 2222',
      HostKey: join(home, 'host'),
      AuthorizedKeysFile: join(home, 'authorized'),
      StrictModes: 'no',
      UsePAM: 'no',
      // A shell over ssh reads the startup files of its user. Those of this machine are not part of the test.
      SetEnv: `HOME=${home}`,
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
    await server.start(['/usr/sbin/sshd', '-D', '-e', '-f', path]).says(/Server listening on 0\.0\.0\.0 port 22\./)
    const known = `UserKnownHostsFile=${join(home, 'known_hosts')}`
    sshOptions = [
      '-F',
      'none',
      '-i',
      join(home, 'user'),
      ...['BatchMode=yes', 'StrictHostKeyChecking=no', 'LogLevel=ERROR', known].flatMap((it) => ['-o', it]),
    ]
  }

  const ghostport = (...argv: readonly string[]) => {
    const inside = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', join(home, 'hosts')]
    return client.run([...inside, ...ghostportCommand(...argv)], { env: { HOME: home } })
  }
  /** The doors of earlier tests are shut again. */
  const shut = async (): Promise<void> => {
    const nat = (): string =>
      server.must(['iptables', '-t', 'nat', '-S', 'FWKNOP_PREROUTING']) +
      server.must(['iptables', '-S', 'FWKNOP_INPUT'])
    const deadline = performance.now() + 20_000
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
      assert.match(ghostport('knock', '-n', name, '--wait', ...LONG).stdout, /^open after/m)
      const { status, stdout } = ghostport('knock', '-n', name, '--wait', '--json', '--key-hmac', 'wrong')
      assert.equal(status, 0)
      assert.deepEqual(JSON.parse(stdout).open.already, true, stdout)
    })

  for (const [command, ...more] of [
    ['ssh', 'root@plain', 'echo SSH-2.0'],
    ['proxy', 'plain', '22'],
  ] as const)
    it(`ghostport ${command} connects where the port is open already, and takes no credit`, async () => {
      await shut()
      assert.equal(ghostport('knock', '-n', 'plain', '--wait', ...LONG).status, 0)
      const [host, last] = more
      const words = [host, ...(command === 'ssh' ? sshOptions : []), last]
      const { stdout, stderr } = ghostport(command, '-v', '--key-hmac', 'wrong', ...words)
      assert.match(stdout, /^SSH-2\.0/, stderr)
      assert.match(stderr, /was open already/)
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

  for (const [command, ...words] of [
    ['knock', '--wait', 'plain'],
    ['knock', '--wait', 'ghost'],
    ['ssh', 'root@plain'],
    ['ssh', 'root@ghost'],
    ['proxy', 'plain', '22'],
    ['proxy', 'ghost', '22'],
  ] as const)
    it(`ghostport ${command} ${words.join(' ')} knocks again where the first packet is lost`, async () => {
      await shut()
      using _ = loseNext(client, 1)
      const more = command === 'ssh' ? [...sshOptions, 'echo open'] : []
      const { stdout, stderr } = ghostport(command, '-v', ...words, ...more)
      assert.match(
        stdout,
        { knock: /^open after [1-9]\d{3,} ms/m, ssh: /^open$/m, proxy: /^SSH-2\.0/ }[command],
        stderr,
      )
      assert.match(stderr, /^knock 2: sent to 10\.9\.0\.2/m)
      // On a slow machine, one more may be on its way before the door is seen open.
      assert.doesNotMatch(stderr, /^knock 4/m)
    })

  for (const token of ['%n', '%h'])
    it(`a ProxyCommand with ${token} finds the stanza under the user’s HostName`, async () => {
      await shut()
      const rc = join(home, 'one.rc')
      const lines = [
        '[nick]',
        `SPA_SERVER ${SERVER}`,
        'ACCESS tcp/22',
        'ALLOW_IP source',
        'KEY front-door',
        'HMAC_KEY brass-knocker',
      ]
      // %h has no stanza of this name, but one with this server.
      writeFileSync(rc, lines.join('\n'), { mode: 0o600 })
      const config = join(home, 'nick_config')
      const proxy = ghostportCommand('proxy', '--rc-file', rc, token, '%p').join(' ')
      writeFileSync(config, `Host nick\n  HostName ${SERVER}\n  ProxyCommand ${proxy}\n`)
      const words = [...sshOptions.slice(2), '-F', config, 'root@nick', 'echo here']
      const { stdout, stderr } = client.run(['ssh', ...words], { env: { HOME: home } })
      assert.equal(stdout, 'here\n', stderr)
    })

  it('ghostport proxy refuses a stanza that opens another port', () => {
    const { status, stderr } = ghostport('proxy', 'elsewhere', '22')
    assert.equal(status, 64)
    assert.match(stderr, /does not ask for tcp\/22 — perhaps: -A tcp\/22/)
  })

  describe('ghostport ssh goes to the address and port that opened', () => {
    /** Only the host key under this name is known, and no other is accepted. */
    function strict(name: string, ...more: readonly string[]): readonly string[] {
      const key = readFileSync(join(home, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
      const file = join(home, 'known_strictly')
      writeFileSync(file, `${name} ${key}\n`)
      const set = [
        'BatchMode=yes',
        'StrictHostKeyChecking=yes',
        'CheckHostIP=yes',
        'LogLevel=ERROR',
        'ConnectTimeout=8',
      ]
      const words = [...set, `UserKnownHostsFile=${file}`, 'GlobalKnownHostsFile=none'].flatMap((it) => ['-o', it])
      return [...more, ...(more.includes('-F') ? [] : ['-F', 'none']), '-i', join(home, 'user'), ...words, '-l', 'root']
    }
    const configured = (...lines: readonly string[]): string => {
      const file = join(home, 'ssh_config')
      writeFileSync(file, `${lines.join('\n')}\n`)
      return file
    }
    const keyed = ['--key-rijndael', 'front-door', '--key-hmac', 'brass-knocker', '-s']
    type Case = [name: string, before: string[], host: string, port: number, ssh: () => readonly string[]]
    const cases: Case[] = [
      ['where the name’s first address is another family', [...keyed], 'both.test', 22, () => strict('both.test')],
      ['where the name’s first address is somebody else’s', [...keyed], 'two.test', 22, () => strict('two.test')],
      [
        'of a ghost service, known by name and port',
        [...keyed, '-A', 'tcp/22', '--nat-local', '--nat-port', '80'],
        'two.test',
        22,
        () => strict('[two.test]:80'),
      ],
      ['with the user’s own alias', [...keyed], 'two.test', 22, () => strict('mine', '-o', 'HostKeyAlias=mine')],
      [
        'with the user’s own HostName',
        [...keyed],
        'nick',
        22,
        () => strict('two.test', '-F', configured('Host nick', 'HostName two.test')),
      ],
      [
        'of a stanza whose SPA_SERVER is the user’s HostName',
        [],
        'nick',
        2222,
        () =>
          strict(
            `[${SERVER}]:2222`,
            '-F',
            configured('Host nick', 'HostName both.test'),
            '-o',
            `HostName=${SERVER}`,
            '-p2222',
          ),
      ],
      ['with -p', [...keyed], 'both.test', 2222, () => strict('[both.test]:2222', '-p', '2222')],
      [
        'with Port of a file',
        [...keyed],
        'both.test',
        2222,
        () => strict('[both.test]:2222', '-F', configured('Host *', 'Port 2222')),
      ],
      [
        'with -p, where the stanza opens it among others',
        ['-A', 'tcp/22,tcp/2222'],
        'plain',
        2222,
        () => strict(`[${SERVER}]:2222`, '-p2222'),
      ],
      ['with the service’s port before a ghost’s', [], 'ghost', 22, () => strict(`[${SERVER}]:80`, '-p', '22')],
    ]
    for (const [name, before, host, port, ssh] of cases)
      it(name, async () => {
        await shut()
        const named = host === 'nick' && before.length === 0 ? ['-n', 'other-port'] : []
        const { status, stdout, stderr } = ghostport('ssh', ...before, ...named, host, ...ssh(), 'echo $SSH_CONNECTION')
        assert.equal(stdout.trim().split(' ').slice(2).join(' '), `${SERVER} ${port}`, stderr)
        assert.equal(status, 0)
        assert.equal(stderr, '')
      })

    it('finds a stanza by the user’s HostName', async () => {
      await shut()
      const file = configured('Host nick', `HostName ${SERVER}`)
      const { status, stderr } = ghostport('ssh', 'nick', ...strict('x', '-F', file), 'true')
      assert.equal(status, 64)
      assert.match(stderr, /stanzas of .* have SPA_SERVER nick or 10\.9\.0\.2: \[plain\], \[ghost\]/)
    })

    const refusals: [name: string, argv: string[], RegExp][] = [
      [
        '-p',
        ['plain', '-p', '2222'],
        /ssh is told to use port 2222, but the knock opens only tcp\/22 — perhaps: -A tcp\/2222/,
      ],
      ['-oPort', ['plain', '-oPort=2222'], /port 2222, but the knock opens only tcp\/22/],
      ['-p 22', ['other-port', '-p', '22'], /port 22, but the knock opens only tcp\/2222/],
      ['ssh://', ['ssh://root@plain:2222'], /port 2222, but the knock opens only tcp\/22/],
      ['a ghost’s', ['ghost', '-p', '2222'], /port 2222, but the knock forwards port 80 to port 22/],
      ['the family', ['-4', 'plain', '-6'], /ssh is told to use IPv6, but the knock is sent only over IPv4/],
    ]
    for (const [name, argv, message] of refusals)
      it(`or refuses, where ssh is told another: ${name}`, async () => {
        await shut()
        const { status, stderr } = ghostport('ssh', ...argv)
        assert.match(stderr, message)
        assert.equal(status, 64)
        assert.equal(await client.tcp(SERVER, 22), 'refused', 'and has not knocked')
      })

    it('and knocks at nothing where ssh refuses its words', async () => {
      await shut()
      const { status, stderr } = ghostport('ssh', 'plain', '-o', 'NoSuchOption=1')
      assert.equal(status, 255)
      assert.match(stderr, /Bad configuration option: nosuchoption/i)
      assert.equal(await client.tcp(SERVER, 22), 'refused')
    })

    it('says so where the user’s HostName is another host', async () => {
      await shut()
      const words = strict('10.9.0.77', '-o', 'HostName=10.9.0.77')
      const { status, stderr } = ghostport('ssh', 'plain', ...words, 'true')
      assert.match(
        stderr,
        /ssh connects to 10\.9\.0\.2, which the knock opened; your HostName 10\.9\.0\.77 has another address/,
      )
      assert.equal(status, 0)
    })
  })

  it('ghostport ssh says why where the door stays shut, and starts no ssh', async () => {
    await shut()
    const { status, stderr } = ghostport('ssh', '--wait-limit', '0.5', 'stranger', ...sshOptions, 'true')
    assert.equal(status, 1)
    assert.match(stderr, /PORT_NOT_OPEN/)
  })
})
