/**
 * What `ghostport serve` and its check say of the host: interfaces, the receiver’s user, the firewall, folders.
 *
 *   client 10.9.0.1 ── eth0 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { WARDEN_TITLE } from '../../src/system/own-process.ts'
import { parsePrivileges } from '../../src/system/privilege.ts'
import { treeFor } from '../support/copied-tree.ts'
import { clientAndServer, copiedGhostport, Daemon, ghostportCommand, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

describe('ghostport serve and its host', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
  })
  after(() => net?.close())

  /** `serve` with this fwknopd.conf, for a command that ends. `as`: words before it. */
  function serve(conf: string, argv: readonly string[], as: readonly string[] = []): Outcome & { folder: string } {
    const folder = net.directory()
    const places = `REPLAY_DB ${join(folder, 'state/replay.db')};\nCONTROL_SOCKET ${join(folder, 'state/control.sock')};\n`
    const given = conf.includes('REPLAY_DB') ? '\n\n' : places
    writeFileSync(join(folder, 'fwknopd.conf'), given + conf, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), stanza(), { mode: 0o600 })
    const words = ['serve', '-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf'), ...argv]
    return { ...server.run([...as, ...ghostportCommand(...words)], { timeoutMs: 15_000 }), folder }
  }
  const check = (conf: string, as: readonly string[] = []) => serve(conf, ['--exit-parse-config'], as)

  for (const names of ['any', 'eth0,lo', 'lo , eth0'])
    it(`hears knocks with -i “${names}”, as with PCAP_INTF`, async () => {
      const daemon = await Daemon.start(net, server, { access: stanza(), argv: ['-i', names] })
      const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
      assert.equal(verdict.verdict, 'granted')
      assert.ok(!daemon.events.some(({ level }) => level === 'warning'), daemon.program.output)
      await daemon.stop()
    })

  it('refuses an -i that can name no interface, and names the flag', () => {
    const { status, stderr } = serve('', ['-i', 'eth0/1'])
    assert.match(stderr, /-i: .*“eth0\/1”.*\[CONFIG_INVALID_VALUE\]/)
    assert.equal(status, 78)
  })

  it('warns of an interface that is absent, at start and at reload, and says which there are', async () => {
    const daemon = await Daemon.start(net, server, { server: ['PCAP_INTF eth0, ens3'], access: stanza() })
    const warning = await daemon.until(({ event }) => event === 'notice')
    assert.equal(daemon.events.filter(({ event }) => event === 'notice').length, 1)
    assert.match(String(warning['text']), /PCAP_INTF: .*“ens3”.*lo, eth0/)
    assert.deepEqual([warning.level, warning['line']], ['warning', 3])
    const from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event, text }) => event === 'notice' && String(text).includes('ens3'), from)
    await daemon.stop()
  })

  it('refuses at a reload a changed FWKNOP_PID_FILE, by name, and changes nothing', async () => {
    const directory = net.directory()
    const [one, other] = [join(directory, 'one.pid'), join(directory, 'other.pid')]
    const daemon = await Daemon.start(net, server, { server: [`FWKNOP_PID_FILE ${one}`], access: stanza() })
    daemon.configure({ server: [`FWKNOP_PID_FILE ${other}`], access: stanza() })
    const from = daemon.events.length
    daemon.reload()
    const refused = await daemon.until(({ event }) => event === 'reload refused', from)
    assert.match(String(refused['detail']), /restart.*FWKNOP_PID_FILE/)
    assert.deepEqual([existsSync(one), existsSync(other)], [true, false])
    await daemon.stop()
  })

  it('checks what a start would, and changes nothing', () => {
    const { status, stdout, stderr, folder } = check('NFT_TABLE only_looked_at;')
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^The configuration is good: 1 stanza\.$/m)
    assert.deepEqual(readdirSync(folder).sort(), ['access.conf', 'fwknopd.conf'])
    assert.doesNotMatch(server.must(['nft', 'list', 'tables']), /only_looked_at/)
    assert.equal(check('PCAP_INTF eth0, ens3;').status, 0)
    assert.match(check('PCAP_INTF eth0, ens3;').stderr, /^warning: .*fwknopd\.conf:3: PCAP_INTF: .*“ens3”.*lo, eth0$/m)
  })

  /** Of the processes that this one started, including itself, as `ps` shows them. */
  const titles = (daemon: Daemon): string[] =>
    server
      .must(['ps', '-o', 'args=', '--pid', String(daemon.pid), '--ppid', String(daemon.pid)])
      .trim()
      .split('\n')

  it('calls its processes by name, and hides their command lines', async () => {
    const daemon = await Daemon.start(net, server, { access: stanza() })
    assert.deepEqual(titles(daemon), ['ghostport: warden', 'ghostport: receiver'])
    const { receiver } = daemon.status() as unknown as { receiver: number }
    const names = readdirSync(`/proc/${receiver}/task`).map((task) =>
      readFileSync(`/proc/${receiver}/task/${task}/comm`, 'utf8').trim(),
    )
    assert.ok(names.includes('ghostport: rece'), names.join())
    await daemon.stop()
  })

  it('has numbers that agree right after knocks, and after a receiver that died over one', async () => {
    const daemon = await Daemon.start(net, server, { access: stanza() })
    const counters = () => {
      const { granted, looked, undecided, refused } = daemon.status()['counters'] as {
        granted: number
        looked: number
        undecided: number
        refused: Record<string, number>
      }
      return { granted, looked, undecided, refused: Object.values(refused).reduce((sum, count) => sum + count, 0) }
    }
    for (let i = 1; i <= 3; i++) {
      await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
      assert.deepEqual(counters(), { granted: i, looked: i, undecided: 0, refused: 0 })
    }
    const from = daemon.events.length
    const { receiver } = daemon.status() as unknown as { receiver: number }
    await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
    process.kill(receiver, 'SIGKILL')
    await daemon.ready(from)
    assert.deepEqual(counters(), { granted: 4, looked: 4, undecided: 0, refused: 0 })
    const socket = daemon.path('state/control.sock')
    const metrics = server.must(ghostportCommand('status', '--metrics', '--socket', socket))
    assert.match(metrics, /^ghostport_knocks_total\{verdict="granted"\} 4\n/m)
    assert.match(metrics, /^ghostport_last_accept_timestamp_seconds 1[0-9.]+\n/m)
    await daemon.stop()
  })

  describe('a second serve', () => {
    let daemon: Daemon
    let pidFile: string
    before(async () => {
      pidFile = join(net.directory(), 'ghostport.pid')
      daemon = await Daemon.start(net, server, { server: [`FWKNOP_PID_FILE ${pidFile}`], access: stanza() })
    })
    after(() => daemon?.stop())

    const shared: [what: string, conf: () => string, says: () => string][] = [
      [
        'the control socket',
        () => `REPLAY_DB /tmp/elsewhere.db;\nCONTROL_SOCKET ${daemon.path('state/control.sock')};\n`,
        () => `it answers at CONTROL_SOCKET ${daemon.path('state/control.sock')}`,
      ],
      [
        'the replay store',
        () =>
          `REPLAY_DB ${daemon.path('state/replay.db')};\nCONTROL_SOCKET ${net.directory()}/s;\nNFT_TABLE other_table;\n`,
        () => `it has REPLAY_DB ${daemon.path('state/replay.db')} open`,
      ],
      ['the table', () => '', () => 'it holds /run/ghostport/nft-ghostport-'],
      [
        'the pid file',
        () => `NFT_TABLE other_table;\nFWKNOP_PID_FILE ${pidFile};\n`,
        () => `FWKNOP_PID_FILE ${pidFile} names it`,
      ],
    ]
    for (const [what, conf, says] of shared)
      it(`says who runs already where both have ${what}`, () => {
        const { status, stderr } = serve(conf(), [])
        assert.ok(stderr.includes(`ghostport is already running: pid ${daemon.pid}: ${says()}`), stderr)
        assert.match(stderr, /\[INSTANCE_RUNNING\]/)
        assert.equal(status, 75)
      })

    it('is no problem for a check: nothing that it holds is found wrong', () => {
      const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
      const { status, stderr } = server.run(ghostportCommand('serve', '--exit-parse-config', ...files))
      assert.equal(status, 0, stderr)
    })

    it('leaves alone a server that is stopped and does not answer', () => {
      process.kill(daemon.pid, 'SIGSTOP')
      try {
        const { status, stderr } = serve(
          `REPLAY_DB /x/y.db;\nCONTROL_SOCKET ${daemon.path('state/control.sock')};\n`,
          [],
        )
        assert.match(stderr, /CONTROL_SOCKET .*does not answer.*\[INSTANCE_RUNNING\]/)
        assert.equal(status, 75)
      } finally {
        process.kill(daemon.pid, 'SIGCONT')
      }
    })
  })

  it('starts over a pid file that a dead server left, and leaves alone a file that is none', async () => {
    const directory = net.directory()
    const [stale, precious] = [join(directory, 'stale.pid'), join(directory, 'precious')]
    writeFileSync(stale, `${process.pid}\n`)
    writeFileSync(precious, 'mine')
    const daemon = await Daemon.start(net, server, { server: [`FWKNOP_PID_FILE ${stale}`], access: stanza() })
    assert.equal(readFileSync(stale, 'utf8'), `${daemon.pid}\n`)
    await daemon.stop()
    for (const argv of [[], ['--exit-parse-config']])
      assert.match(
        serve(`FWKNOP_PID_FILE ${precious};`, argv).stderr,
        /fwknopd\.conf:3: .*FWKNOP_PID_FILE: .*holds no process id.*\[CONFIG_UNWRITABLE\]/,
      )
    assert.equal(readFileSync(precious, 'utf8'), 'mine')
  })

  for (const [whose, as] of [
    ['of another user', ['--reuid=65534', '--regid=65534', '--clear-groups']],
    ['that another user started as root', ['--ruid=65534']],
  ] as const)
    it(`starts although a stale pid file names a process ${whose}, which has the title of a server`, async () => {
      const stale = join(net.directory(), 'stale.pid')
      const script = `process.title = '${WARDEN_TITLE}'; console.log('titled'); setTimeout(() => {}, 60_000)`
      const liar = server.start(['setpriv', ...as, process.execPath, '-e', script])
      await liar.says(/titled/)
      writeFileSync(stale, `${liar.pid}\n`)
      const daemon = await Daemon.start(net, server, { server: [`FWKNOP_PID_FILE ${stale}`], access: stanza() })
      assert.equal(readFileSync(stale, 'utf8'), `${daemon.pid}\n`)
      await daemon.stop()
      await liar.stop()
    })

  for (const tool of ['with', 'without'] as const)
    it(`runs as an ordinary user with ambient capabilities, ${tool} setpriv, and its receiver has none`, async () => {
      const directory = net.directory()
      mkdirSync(join(directory, 'state'), { mode: 0o700 })
      const conf = [`REPLAY_DB ${directory}/state/replay.db`, `CONTROL_SOCKET ${directory}/state/control.sock`]
      writeFileSync(join(directory, 'fwknopd.conf'), conf.map((line) => `${line};\n`).join(''), { mode: 0o600 })
      writeFileSync(join(directory, 'access.conf'), stanza(), { mode: 0o600 })
      server.must(['chown', '-R', 'nobody', directory])
      server.must(['cp', '/usr/bin/setpriv', join(directory, 'setpriv')])
      const own = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all,+net_admin,+net_raw']
      const sets = ['--inh-caps=+net_admin,+net_raw', '--ambient-caps=+net_admin,+net_raw']
      using tree = treeFor({ uid: 65_534, gid: 65_534 })
      const program = server.start([
        ...(tool === 'with' ? [] : inOwnMounts(': > /mnt/none; mount --bind /mnt/none /usr/bin/setpriv')),
        ...[join(directory, 'setpriv'), ...own, ...sets, '--'],
        ...copiedGhostport(tree, 'serve', '-c', join(directory, 'fwknopd.conf'), '-a', join(directory, 'access.conf')),
      ])
      const [, receiver] = await program.says(/"event":"ready".*"receiver":(\d+)/)
      const privileges = parsePrivileges(readFileSync(`/proc/${receiver}/status`, 'utf8'))
      const { permitted, effective, inheritable, ambient } = privileges
      assert.deepEqual([permitted, effective, ambient], [0n, 0n, 0n])
      if (tool === 'with') assert.equal(inheritable, 0n)
      await program.stop()
    })

  it('ends, and does not try for ever, where the receiver keeps privilege', () => {
    // Prevents the kernel from removing the capabilities when root becomes another user.
    const keepsAll =
      '#!/bin/sh\\nwhile [ "$1" != -- ]; do shift; done; shift; ' +
      'exec /mnt/real --securebits +no_setuid_fixup -- "$@"\\n'
    const as = inOwnMounts(
      `cp /usr/bin/setpriv /mnt/real; printf '${keepsAll}' > /mnt/setpriv; chmod 755 /mnt/setpriv; mount --bind /mnt/setpriv /usr/bin/setpriv`,
    )
    const { status, stdout, stderr } = serve('', [], as)
    assert.match(stderr, /^ghostport: .*capability set.*\[PRIVILEGE_EXCESSIVE\]$/m)
    assert.equal(status, 77)
    assert.equal(stdout.match(/"receiver lost"/g)?.length, 1)
    assert.doesNotMatch(stdout, /"ready"/)
  })

  /** Both the check and the start refuse each. */
  const troubles: [what: string, conf: string, as: readonly string[], code: string, says: RegExp][] = [
    [
      'the receiver’s user does not exist',
      'RECEIVER_USER nemo;\n',
      [],
      'CONFIG_INVALID_VALUE',
      /fwknopd\.conf:3: .*RECEIVER_USER: .*“nemo”.*useradd/,
    ],
    [
      'the receiver’s user is root by another name',
      'RECEIVER_USER toor;\n',
      withEtc('passwd', 'root:x:0:0::/:/bin/sh\\ntoor:x:0:0::/:/bin/sh\\n'),
      'CONFIG_INVALID_VALUE',
      /fwknopd\.conf:3: .*RECEIVER_USER: .*“toor”.*root/,
    ],
    [
      'there is no /etc/passwd',
      'RECEIVER_USER nobody;\n',
      withoutPasswd(),
      'CONFIG_INVALID_VALUE',
      /RECEIVER_USER: .*“nobody”.*no \/etc\/passwd/,
    ],
    [
      'this process may not change its user',
      '',
      ['setpriv', '--bounding-set', '-all,+net_admin,+net_raw', '--inh-caps', '-all', '--'],
      'PRIVILEGE_MISSING',
      /CAP_SETUID or CAP_SETGID.*CAP_KILL/,
    ],
    [
      'this process may not end the receiver',
      '',
      ['setpriv', '--bounding-set', '-kill', '--inh-caps', '-all', '--'],
      'PRIVILEGE_MISSING',
      /CAP_KILL/,
    ],
    ['packets cannot be captured', '', ['setpriv', '--bounding-set=-net_raw', '--'], 'CAPTURE_DENIED', /CAP_NET_RAW/],
    [
      'the replay store is of another program',
      'REPLAY_DB /mnt/state/replay.db;\n',
      inOwnMounts(
        'mkdir -m 700 /mnt/state; { printf "SQLite format 3\\\\000"; head -c 4096 /dev/zero; } > /mnt/state/replay.db; chmod 600 /mnt/state/replay.db',
      ),
      'REPLAY_STORE_CORRUPT',
      /another program|not a database/,
    ],
    [
      'the port of CAPTURE udp is taken by another program',
      'CAPTURE udp;\nSPA_PORTS 5353;\n',
      [
        process.execPath,
        '-e',
        `require('dgram').createSocket('udp6').bind(5353, () => {
          const [, file, ...argv] = process.argv
          process.exitCode = require('child_process').spawnSync(file, argv, { stdio: 'inherit' }).status
          process.exit()
        })`,
        '--',
      ],
      'CAPTURE_FAILED',
      /UDP port 5353/,
    ],
    ['there is no libnftables', '', withoutLibrary('libnftables.so.1'), 'FIREWALL_UNAVAILABLE', /libnftables/],
    ['the replay store has no place', 'REPLAY_DB /proc/replay.db;\n', [], 'REPLAY_STORE_FAILED', /\/proc/],
    [
      'the folder of the process id’s file is not there',
      'FWKNOP_PID_FILE /run/not-there/a.pid;\n',
      [],
      'CONFIG_UNWRITABLE',
      /fwknopd\.conf:3: .*FWKNOP_PID_FILE: .*\/run\/not-there/,
    ],
  ]
  for (const [what, conf, as, code, says] of troubles)
    it(`where ${what}, start and check say so: ${code}`, () => {
      for (const argv of [[], ['--exit-parse-config']]) {
        const { status, stderr, stdout } = serve(conf, argv, as)
        assert.match(stderr, new RegExp(`\\[${code}\\]`), stdout)
        assert.match(stderr, says)
        assert.ok(status !== 0 && status !== null, stderr)
        assert.doesNotMatch(stdout, /"ready"|is good/)
      }
    })
})

/** Runs the command in a mount namespace of its own, after `script`, which may use a fresh file system in /mnt. */
function inOwnMounts(script: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-ec', `mount -t tmpfs none /mnt; ${script}; exec "$@"`, 'sh']
}
function withEtc(name: string, text: string): readonly string[] {
  return inOwnMounts(`printf '${text}' > /mnt/${name}; mount --bind /mnt/${name} /etc/${name}`)
}
/** The real /etc without passwd. */
function withoutPasswd(): readonly string[] {
  return inOwnMounts('cp -a /etc /mnt/etc; rm /mnt/etc/passwd; mount --bind /mnt/etc /etc')
}
/** An empty file hides the library. */
function withoutLibrary(name: string): readonly string[] {
  return inOwnMounts(
    `: > /mnt/empty; for at in $(ldconfig -p | sed -n 's/.*=> //p' | grep -F /${name}); do mount --bind /mnt/empty "$at"; done`,
  )
}
