/**
 * What `ghostport serve` and its check say of the host: interfaces, the receiver’s user, the firewall, folders.
 *
 *   client 10.9.0.1 ── eth0 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, knock, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const SERVER = '10.9.0.2'

describe('ghostport serve and its host', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    dropByDefault(server)
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
    const [warning, ...more] = daemon.events.filter(({ event }) => event === 'notice')
    assert.deepEqual(more, [])
    assert.match(String(warning?.['text']), /PCAP_INTF: .*“ens3”.*lo, eth0/)
    assert.deepEqual([warning?.level, warning?.['line']], ['warning', 3])
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

  /** Each is refused by the check and by the start alike. */
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
      '',
      withoutPasswd(),
      'CONFIG_INVALID_VALUE',
      /RECEIVER_USER: .*“nobody”.*no \/etc\/passwd/,
    ],
    [
      'this process may not change its user',
      '',
      ['setpriv', '--bounding-set', '-all,+net_admin,+net_raw', '--inh-caps', '-all', '--'],
      'PRIVILEGE_MISSING',
      /CAP_SETUID and CAP_SETGID/,
    ],
    ['packets cannot be captured', '', ['setpriv', '--bounding-set=-net_raw', '--'], 'CAPTURE_DENIED', /CAP_NET_RAW/],
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

/** Runs what follows in a mount namespace of its own, after `script`, which may use a fresh file system in /mnt. */
function inOwnMounts(script: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-ec', `mount -t tmpfs none /mnt; ${script}; exec "$@"`, 'sh']
}
function withEtc(name: string, text: string): readonly string[] {
  return inOwnMounts(`printf '${text}' > /mnt/${name}; mount --bind /mnt/${name} /etc/${name}`)
}
/** An /etc with all of the real one but passwd. */
function withoutPasswd(): readonly string[] {
  return inOwnMounts('cp -a /etc /mnt/etc; rm /mnt/etc/passwd; mount --bind /mnt/etc /etc')
}
/** An empty file hides the library. */
function withoutLibrary(name: string): readonly string[] {
  return inOwnMounts(
    `: > /mnt/empty; for at in $(ldconfig -p | sed -n 's/.*=> //p' | grep -F /${name}); do mount --bind /mnt/empty "$at"; done`,
  )
}
