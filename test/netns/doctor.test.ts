/**
 * `ghostport doctor` on real hosts: each finding is provoked, is told with the command that mends it, and is gone after
 * that command.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type CompiledPackage, compilePackage } from '../support/compiled.ts'
import { clientAndServer, Daemon, dropByDefault, ghostportCommand, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Examined, examined, findingIn, onlyCheck, type Told } from '../support/doctor.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

describe('ghostport doctor on a server', { skip: netnsUnavailable() }, () => {
  let built: CompiledPackage
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon

  before(async () => {
    built = compilePackage()
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    daemon = await Daemon.start(net, server, { access: stanza(['OPEN_PORTS tcp/22']) })
  })
  after(async () => {
    built?.[Symbol.dispose]()
    await net?.close()
  })

  /** The compiled program: it starts in a quarter of the time. */
  const doctorCommand = (...words: string[]): string[] => [...built.command, 'doctor', ...words]

  const files = (): string[] => ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
  /** With all words of a real command line. */
  const examine = (host: Host, ...words: string[]): Examined =>
    examined(host.run(doctorCommand('--json', ...words), { timeoutMs: 60_000 }))
  const ask = (code: string, host = server): Told => onlyCheck(examine(host, ...files(), '--only', code))
  /** The finding of a check, and the shell’s way to mend it. */
  const finding = (code: string, text: RegExp, host = server) => findingIn(ask(code, host), text)
  function mend({ command }: { readonly command: string | null }, host = server): void {
    assert.ok(command)
    host.must(['sh', '-c', command])
  }
  const isGood = (code: string, host = server): void => {
    const told = ask(code, host)
    assert.equal(told.answer, 'good', JSON.stringify(told))
  }

  it('all is well: no error, and what cannot be looked at here is not called good', () => {
    const { status, checks } = examine(server, ...files())
    const bad = checks.filter(({ findings }) => findings.some(({ severity }) => severity === 'error'))
    assert.deepEqual(bad, [])
    assert.equal(status, 0)
    const answers = Object.fromEntries(checks.map(({ code, answer }) => [code, answer]))
    for (const code of [
      'CONFIG',
      'PERMISSIONS',
      'KEYS',
      'RUNNING',
      'HOST_RULES',
      'TWO_MANAGERS',
      'LEGACY_TABLES',
      'NOTRACK',
      'DISK',
    ])
      assert.equal(answers[code], 'good', code)
    assert.equal(answers['PEER_CLOCK'], 'not checked')
  })

  it('HOST_RULES: the host drops what a knock opens', () => {
    server.must(['nft', 'flush', 'chain', 'inet', 'filter', 'input'])
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'iif lo accept'])
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'meta l4proto { icmp, icmpv6 } accept'])
    const found = finding('HOST_RULES', /drops what ghostport opens/)
    assert.equal(found.severity, 'error')
    assert.equal(
      found.recheck,
      `ghostport doctor --config-file ${daemon.path('fwknopd.conf')} --access-file ${daemon.path('access.conf')} --only HOST_RULES`,
    )
    mend(found)
    isGood('HOST_RULES')
  })

  it('HOST_RULES: a port is open without a knock', () => {
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp dport 22 accept'])
    const { status, checks } = examine(server, ...files(), '--only', 'HOST_RULES')
    assert.equal(status, 1)
    assert.match(checks[0]?.findings[0]?.text ?? '', /tcp\/22 is open to everybody/)
    assert.match(checks[0]?.findings[0]?.advice ?? '', /./)
    server.must([
      'sh',
      '-c',
      'nft delete rule inet filter input handle $(nft -a list chain inet filter input | sed -n "s/.*dport 22 accept # handle //p")',
    ])
    isGood('HOST_RULES')
  })

  it('HOST_RULES: neighbours of IPv6, knocks at a socket, and a port of the gate, which the host drops', async () => {
    const host = await net.host('drops')
    await net.link(host, ['10.8.0.2/24', '2001:db8::2/64'], await net.host('beside'), ['10.8.0.1/24', '2001:db8::1/64'])
    host.must(['nft', '-f', '-'], {
      input:
        'table inet filter { chain input { type filter hook input priority filter; policy drop;\nct state established accept\niif lo accept\nct mark and 0x200000 == 0x200000 accept\n}\n}\n',
    })
    const path = daemon.path('fwknopd.conf')
    const before = readFileSync(path, 'utf8')
    const provoked = (settings: string, text: RegExp): void => {
      writeFileSync(path, `${before}${settings}`)
      mend(finding('HOST_RULES', text, host), host)
      const left = ask('HOST_RULES', host).findings.filter((each) => text.test(each.text))
      assert.deepEqual(left, [])
    }
    try {
      provoked('', /drops IPv6 neighbour discovery/)
      provoked('CAPTURE udp;\n', /drops udp\/62201, where CAPTURE udp waits/)
      host.must(['nft', 'flush chain inet filter input; add rule inet filter input meta l4proto ipv6-icmp accept'])
      provoked('FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22;\n', /drops tcp\/22 also for those who have a grant/)
    } finally {
      writeFileSync(path, before)
    }
  })

  it('NOTRACK: connections are not tracked', () => {
    server.must(['nft', '-f', '-'], {
      input:
        'table inet untracked { chain pre { type filter hook prerouting priority raw;\ntcp dport 22 notrack\n}\n}\n',
    })
    const found = finding('NOTRACK', /keeps tcp\/22 from/)
    assert.ok(found.command ?? found.advice)
    server.must(['nft', 'delete', 'table', 'inet', 'untracked'])
    isGood('NOTRACK')
  })

  it('PERMISSIONS: others can read the keys', () => {
    chmodSync(daemon.path('access.conf'), 0o644)
    const found = finding('PERMISSIONS', /can be read by others/)
    assert.equal(ask('CONFIG').answer, 'not checked')
    mend(found)
    isGood('PERMISSIONS')
    isGood('CONFIG')
  })

  it('KEYS and CONFIG: the fault is told with its line, and only once', () => {
    const path = daemon.path('access.conf')
    const before = readFileSync(path, 'utf8')
    writeFileSync(path, before.replace(/^KEY .*$/m, 'KEY_BASE64 %%%'))
    assert.deepEqual(finding('KEYS', /KEY_BASE64/).evidence, [`${path}:2`])
    assert.equal(ask('CONFIG').answer, 'not checked')
    writeFileSync(path, before.replace('OPEN_PORTS', 'OPEN_PRTS'))
    const { advice } = finding('CONFIG', /OPEN_PRTS/)
    assert.equal(advice, `change line 4 of ${path}, perhaps to: OPEN_PORTS`)
    assert.equal(ask('KEYS').answer, 'not checked')
    writeFileSync(path, before)
    isGood('KEYS')
    isGood('CONFIG')
  })

  it('RUNNING: the server runs, and receives nothing', async () => {
    // Each time, it waits longer before it starts the receiver again: five seconds in the end.
    for (let kills = 0, tries = 0; kills < 7 || daemon.status()['receiver'] !== null; tries++) {
      assert.ok(tries < 200, `${kills} receivers were killed`)
      const { receiver } = daemon.status()
      if (typeof receiver === 'number') {
        process.kill(receiver, 'SIGKILL')
        kills++
      }
      await delay(20)
    }
    const found = finding('RUNNING', /the server runs, but receives no packets/)
    assert.equal(found.severity, 'error')
    // Here it mends itself, and no unit could be restarted.
    assert.equal(found.advice, 'start the server again')
    for (let tries = 0; tries < 100 && ask('RUNNING').answer !== 'good'; tries++) await delay(100)
    isGood('RUNNING')
  })

  it('RUNNING: no server runs', async () => {
    await daemon.stop()
    const found = finding('RUNNING', /no server runs/)
    assert.equal(found.severity, 'error')
    assert.match(found.advice ?? '', /ghostport serve/)
    await daemon.again()
    isGood('RUNNING')
  })

  it('CAPTURE: a packet of our own is counted, as a stranger’s would be, and opens nothing', async () => {
    const before = daemon.events.length
    const told = ask('CAPTURE')
    assert.equal(told.answer, 'good', JSON.stringify(told))
    assert.equal(told.seen, 'a packet of our own was counted at eth0, 10.9.0.2')
    const refused = await daemon.until(({ code }) => code === 'SPA_MALFORMED', before)
    assert.equal(refused['source'], '10.9.0.2')
    // No answer, and nothing sent to anybody.
    assert.match(server.must(['nstat', '-az', 'IcmpOutDestUnreachs']), /IcmpOutDestUnreachs +0 /)
  })

  it('CAPTURE: over IPv6 too, and not where the rules drop it first', async () => {
    server.must(['ip', 'addr', 'add', 'fd09::2/64', 'dev', 'eth0', 'nodad'])
    assert.match(ask('CAPTURE').seen ?? '', /counted at eth0, 10\.9\.0\.2; eth0, fd09::2$/)
    server.must(['nft', '-f', '-'], {
      input: 'table netdev early { chain in { type filter hook ingress device "eth0" priority 0; policy drop; }\n}\n',
    })
    const found = finding('CAPTURE', /the server did not see it/)
    assert.equal(found.severity, 'error')
    assert.deepEqual(found.evidence, ['not counted: eth0, 10.9.0.2', 'not counted: eth0, fd09::2'])
    server.must(['nft', 'delete', 'table', 'netdev', 'early'])
    isGood('CAPTURE')
    server.must(['ip', 'addr', 'del', 'fd09::2/64', 'dev', 'eth0'])
  })

  it('CAPTURE: the server still has older settings than its file', async () => {
    const path = daemon.path('fwknopd.conf')
    const before = readFileSync(path, 'utf8')
    writeFileSync(path, `${before}SPA_PORTS 62202;\n`)
    assert.match(finding('CAPTURE', /did not see it/).advice ?? '', /^restart the server/)
    await daemon.restart()
    isGood('CAPTURE')
    writeFileSync(path, `${before}CAPTURE udp;\n`)
    await daemon.restart()
    const udp = ask('CAPTURE')
    assert.equal(udp.seen, 'a packet of our own was counted at the UDP socket on port 62201', JSON.stringify(udp))
    writeFileSync(path, before)
    await daemon.restart()
  })

  it('TABLE_OWNER: says whether the table can be flushed', () => {
    const found = finding('TABLE_OWNER', /another program can flush/)
    assert.equal(found.severity, 'hint')
    assert.equal(found.evidence[0], 'table inet ghostport has no owner')
    assert.ok(found.evidence.length > 1)
  })

  it('IPV6_HOLE: shut over IPv4 only, and the command shuts it for all but those who knocked', async () => {
    const host = await net.host('hole')
    const friend = await net.host('friend')
    await net.link(friend, ['10.8.0.1/24', 'fd08::1/64'], host, ['10.8.0.2/24', 'fd08::2/64'])
    await host.listen([{ protocol: 'tcp', port: 22, banner: 'ssh', address: '::' }])
    host.must(['iptables', '-P', 'INPUT', 'DROP'])
    assert.equal(await friend.tcp('10.8.0.2', 22, { timeoutMs: 300 }), 'timeout')
    assert.equal(await friend.tcp('fd08::2', 22), 'ssh')
    const found = finding('IPV6_HOLE', /tcp\/22 is shut over IPv4, and open to everybody over IPv6/, host)
    assert.equal(found.severity, 'error')
    mend(found, host)
    assert.equal(await friend.tcp('fd08::2', 22, { timeoutMs: 300 }), 'timeout')
    isGood('IPV6_HOLE', host)
    host.must(['ip6tables', '-t', 'mangle', '-A', 'PREROUTING', '-j', 'CONNMARK', '--set-mark', '0x200000'])
    assert.equal(await friend.tcp('fd08::2', 22), 'ssh')
  })

  it('DOCKER_PORTS: Docker has open what a knock should open', async () => {
    const host = await net.host('docker')
    host.must(['iptables', '-t', 'nat', '-N', 'DOCKER'])
    host.must(['iptables', '-t', 'nat', '-A', 'PREROUTING', '-m', 'addrtype', '--dst-type', 'LOCAL', '-j', 'DOCKER'])
    const publish = (port: string) =>
      host.must([
        'iptables',
        '-t',
        'nat',
        '-A',
        'DOCKER',
        '!',
        '-i',
        'docker0',
        '-p',
        'tcp',
        '--dport',
        port,
        '-j',
        'DNAT',
        '--to-destination',
        '172.17.0.2:80',
      ])
    isGood('DOCKER_PORTS', host)
    publish('8080')
    assert.equal(finding('DOCKER_PORTS', /Docker publishes tcp\/8080 to everybody/, host).severity, 'hint')
    publish('22')
    const found = finding('DOCKER_PORTS', /a stanza opens tcp\/22 .* Docker has it open/, host)
    assert.equal(found.severity, 'error')
    assert.deepEqual(found.evidence, ['FORWARD: leads to 172.17.0.2:80'])
    const path = daemon.path('fwknopd.conf')
    const before = readFileSync(path, 'utf8')
    writeFileSync(path, `${before}FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22, tcp/8080;\n`)
    isGood('DOCKER_PORTS', host)
    writeFileSync(path, before)
  })

  it('SSH_PENALTIES: one connection, and the answer of a server that has locked us out', async () => {
    const host = await net.host('locked')
    const folder = net.directory()
    copyFileSync('/usr/bin/socat', `${folder}/sshd`)
    chmodSync(`${folder}/sshd`, 0o755)
    const greet = async (text: string): Promise<void> => {
      const fake = host.start([`${folder}/sshd`, '-d', '-d', 'TCP4-LISTEN:22,fork,reuseaddr', `SYSTEM:echo "${text}"`])
      await fake.says(/listening on/)
      return void fake
    }
    assert.match(ask('SSH_PENALTIES', host).because ?? '', /no ssh server listens/)
    await greet('Not allowed at this time')
    const found = finding('SSH_PENALTIES', /has locked this address out/, host)
    assert.equal(found.severity, 'error')
    assert.equal(found.evidence[0], '127.0.0.1:22 says: Not allowed at this time')
    // Many doctors in a row stop by themselves.
    for (let i = 0; i < 5; i++) ask('SSH_PENALTIES', host)
    assert.match(ask('SSH_PENALTIES', host).because ?? '', /connected to its ssh server \d+ times in the last minute/)
  })

  it('TWO_MANAGERS: hand-written rules of two kinds', () => {
    server.must(['iptables-nft', '-A', 'INPUT', '-p', 'tcp', '--dport', '81', '-j', 'DROP'])
    const found = finding('TWO_MANAGERS', /nft and iptables-nft write rules/)
    assert.equal(found.severity, 'warning')
    assert.equal(examine(server, '--only', 'TWO_MANAGERS').status, 0)
    assert.equal(examine(server, '--only', 'TWO_MANAGERS', '--strict').status, 1)
    server.must(['nft', 'delete', 'table', 'ip', 'filter'])
    isGood('TWO_MANAGERS')
  })

  it('LEGACY_TABLES: rules that nft does not list, and the command moves them without a gap', async () => {
    const host = await net.host('legacy')
    dropByDefault(host)
    host.must(['iptables-legacy', '-P', 'INPUT', 'DROP'])
    host.must(['iptables-legacy', '-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT'])
    const found = finding('LEGACY_TABLES', /some rules are in iptables-legacy/, host)
    assert.equal(found.severity, 'warning')
    mend(found, host)
    isGood('LEGACY_TABLES', host)
    assert.match(host.must(['iptables-nft-save', '-t', 'filter']), /:INPUT DROP[\s\S]*-A INPUT -i lo -j ACCEPT/)
    assert.doesNotMatch(host.must(['iptables-legacy-save', '-t', 'filter']), /DROP|-A/)
  })

  it('DISK: no room to record used packets', () => {
    const folder = daemon.path('state')
    const doctor = doctorCommand('--json', ...files(), '--only', 'DISK')
    const inSmall = (size: string, more = ''): Told['findings'][number] | undefined => {
      const script = `mount -t tmpfs -o size=${size},mode=700${more} none ${folder} && exec "$@"`
      const { stdout, stderr } = server.run(['unshare', '--mount', 'sh', '-c', script, 'sh', ...doctor])
      assert.ok(stdout.startsWith('{'), stderr)
      return JSON.parse(stdout).checks[0].findings[0]
    }
    assert.equal(inSmall('8m')?.severity, 'error')
    assert.equal(inSmall('64m')?.severity, 'warning')
    assert.match(inSmall('256m', ',nr_inodes=50')?.text ?? '', /no room for more files/)
    assert.equal(inSmall('256m'), undefined)
  })

  it('PEER_CLOCK: a client whose clock is wrong', () => {
    const wrong = knock(client, SERVER, '-s', '-A', 'tcp/22', '--time-offset-plus', '3600')
    assert.equal(wrong.status, 0)
    const found = finding('PEER_CLOCK', /1 of the last knocks were dated too far/)
    assert.equal(found.severity, 'warning')
    assert.match(found.evidence[0] ?? '', /10\.9\.0\.1 SPA_FROM_FUTURE/)
  })

  it('another user than root is told what only root may see, and nothing is called good that was not seen', () => {
    const { stdout, stderr } = server.run([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      ...ghostportCommand('doctor', '--json', ...files()),
    ])
    assert.ok(stdout.startsWith('{'), stderr)
    const checks: readonly Told[] = JSON.parse(stdout).checks
    // These are for everybody to see; of changes that wait, and of a policy, that there are none.
    const forAll = ['UNIT', 'CLOCK', 'CLOCK_BATTERY', 'NODE', 'DEAD_MAN', 'POLICY']
    const seen = checks.filter(({ code, answer }) => !forAll.includes(code) && answer !== 'not checked')
    assert.deepEqual(seen, [])
    assert.match(checks.find(({ code }) => code === 'CONFIG')?.because ?? '', /only root may read/)
  })

  it('an unknown check is refused, and nothing to examine is no failure', () => {
    const wrong = server.run(doctorCommand('--only', 'CLOK'))
    assert.equal(wrong.status, 64)
    assert.match(wrong.stderr, /no check has the code “CLOK” — perhaps: ghostport doctor --list/)
  })
})
