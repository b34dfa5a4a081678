/**
 * `ghostport serve` with faults: in its files, its privilege, its disk, its firewall. Each time, it says clearly what
 * is wrong, and opens nothing.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { failureKinds } from '../../src/failure-codes.ts'
import { WARDEN_TITLE } from '../../src/system/own-process.ts'
import { clientAndServer, Daemon, ghostportCommand, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

describe('ghostport serve in trouble', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
  })
  after(() => net?.close())

  interface Files {
    readonly server?: string
    readonly access?: string
    /** Changes the folder before the start. */
    readonly prepare?: (folder: string) => void
    /** Words before the command. */
    readonly as?: readonly string[]
    /** Words after it. */
    readonly argv?: readonly string[]
  }

  /** A start that must fail. */
  function start({
    server: conf = '',
    access = stanza(),
    prepare,
    as = [],
    argv: more = [],
  }: Files): Outcome & { folder: string } {
    const folder = net.directory()
    const store = conf.includes('REPLAY_DB') ? '# elsewhere' : `REPLAY_DB ${join(folder, 'state/replay.db')};`
    const places = `${store}\nCONTROL_SOCKET ${join(folder, 'state/control.sock')};\n`
    writeFileSync(join(folder, 'fwknopd.conf'), places + conf, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), access, { mode: 0o600 })
    prepare?.(folder)
    const argv = ['serve', '-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf'), ...more]
    return { ...server.run([...as, ...ghostportCommand(...argv)], { timeoutMs: 10_000 }), folder }
  }

  const troubles: [what: string, code: keyof typeof failureKinds, files: Files, says: RegExp][] = [
    [
      'access.conf is not there',
      'CONFIG_UNREADABLE',
      { prepare: (at) => rmSync(join(at, 'access.conf')) },
      /access\.conf/,
    ],
    [
      'others can read access.conf',
      'CONFIG_EXPOSED',
      { prepare: (at) => chmodSync(join(at, 'access.conf'), 0o644) },
      /chmod 600 .*access\.conf/,
    ],
    [
      'others can write fwknopd.conf',
      'CONFIG_EXPOSED',
      { prepare: (at) => chmodSync(join(at, 'fwknopd.conf'), 0o666) },
      /chmod go-w .*fwknopd\.conf/,
    ],
    [
      'a setting is misspelt',
      'CONFIG_UNKNOWN_KEY',
      { server: 'ENABLE_IPT_LOCAL_NTA Y;\n' },
      /fwknopd\.conf:3: .*ENABLE_IPT_LOCAL_NAT/,
    ],
    [
      'a way of capture is not built',
      'CONFIG_UNSUPPORTED_KEY',
      { server: 'ENABLE_NFQ_CAPTURE Y', access: stanza() },
      /fwknopd\.conf:3: .*ENABLE_NFQ_CAPTURE/,
    ],
    ['port 0 is to be opened', 'CONFIG_INVALID_VALUE', { access: stanza(['OPEN_PORTS tcp/0']) }, /access\.conf:4/],
    [
      'port 65536 is to be opened',
      'CONFIG_INVALID_VALUE',
      { access: stanza(['OPEN_PORTS tcp/65536']) },
      /access\.conf:4/,
    ],
    ['access.conf is empty', 'CONFIG_MISSING_KEY', { access: '' }, /access\.conf:1: .*no stanza.*SOURCE/],
    [
      'both files hold only comments',
      'CONFIG_MISSING_KEY',
      { server: '# nothing\n\n', access: '# SOURCE ANY\n; KEY a key for tests\n\n' },
      /access\.conf:1: .*no stanza/,
    ],
    [
      'the folder of stanzas is empty',
      'CONFIG_MISSING_KEY',
      { access: '%include_folder users\n', prepare: (at) => mkdirSync(join(at, 'users')) },
      /access\.conf:1: .*no stanza/,
    ],
    [
      'a UDP socket is to listen on a range',
      'CONFIG_CONFLICT',
      { server: 'CAPTURE udp;\nSPA_PORTS 10000-65534;\n' },
      /fwknopd\.conf:4: .*10000-65534.*CAPTURE packet/,
    ],
    [
      'the command line asks for a UDP socket, and the file for a range',
      'CONFIG_CONFLICT',
      { server: 'SPA_PORTS 10000-65534;\n', argv: ['-U'] },
      /10000-65534/,
    ],
    ['port 65536 is to be watched', 'CONFIG_INVALID_VALUE', { server: 'SPA_PORTS 65536;\n' }, /fwknopd\.conf:3/],
    [
      'the two keys are the same',
      'CONFIG_CONFLICT',
      { access: stanza([], { key: 'same', hmac: 'same' }) },
      /access\.conf/,
    ],
    ['the receiver’s user does not exist', 'CONFIG_INVALID_VALUE', { server: 'RECEIVER_USER nemo;\n' }, /nemo/],
    [
      'the replay store is damaged',
      'REPLAY_STORE_CORRUPT',
      {
        prepare: (at) => {
          server.must(['install', '-d', '-m', '700', join(at, 'state')])
          writeFileSync(
            join(at, 'state/replay.db'),
            'SQLite format 3\0 and then nothing that makes sense'.padEnd(4096, '?'),
            { mode: 0o600 },
          )
        },
      },
      /move/,
    ],
    ['the replay store has no place', 'REPLAY_STORE_FAILED', { server: 'REPLAY_DB /proc/replay.db;\n' }, /\/proc/],
  ]
  for (const [what, code, files, says] of troubles)
    it(`does not start where ${what}: ${code}`, () => {
      const { status, stderr, stdout } = start(files)
      assert.match(stderr, new RegExp(`\\[${code}\\]`), stdout)
      assert.match(stderr, says)
      assert.equal(status, failureKinds[code].exit)
      assert.doesNotMatch(stdout, /"ready"/)
      assert.doesNotMatch(stderr + stdout, /a key for tests|another key/)
    })

  it('does not start without privilege, and says what is missing', () => {
    const { status, stderr } = start({ as: ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'] })
    assert.match(stderr, /CAP_NET_RAW.*\[CAPTURE_DENIED\]/)
    assert.equal(status, 77)
  })

  it('does not start where the kernel has no nftables for it, and leaves no receiver behind', () => {
    // CAP_NET_RAW without CAP_NET_ADMIN: packets could be captured, and nothing opened.
    const { status, stderr, stdout } = start({ as: ['setpriv', '--bounding-set=-net_admin', '--'] })
    assert.match(stderr, /\[FIREWALL_(UNAVAILABLE|REFUSED)\]/, stdout)
    assert.equal(status, 69)
    assert.equal(
      server
        .run(['pgrep', '-f', 'daemon/receiver|ghostport: receiver'])
        .stdout.split('\n')
        .filter((pid) => pid !== '' && inside(server, pid)).length,
      0,
    )
  })

  it('refuses one grant too many, whole, and the others stay', async () => {
    const daemon = await Daemon.start(net, server, {
      server: ['MAX_GRANTS 2', 'ENABLE_IPT_LOCAL_NAT Y'],
      access: stanza(['FW_ACCESS_TIMEOUT 5', 'NAT_TARGETS local:22']),
    })
    await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
    const ghosts = ['-A', 'tcp/22', '--nat-local', '--nat-port']
    assert.equal((await daemon.verdictAfter(() => knock(client, SERVER, '-s', ...ghosts, '80'))).verdict, 'granted')
    assert.equal((await daemon.verdictAfter(() => knock(client, SERVER, '-s', ...ghosts, '81'))).code, 'FIREWALL_FULL')
    assert.equal(daemon.status().grants.length, 2)
    assert.deepEqual(await Promise.all([22, 80, 81].map((port) => client.tcp(SERVER, port))), ['ssh', 'ssh', 'timeout'])
    await daemon.stop()
    server.must(['nft', 'delete', 'table', 'inet', 'ghostport'])
  })

  it('opens nothing while its disk is full, says so, and goes on when there is room', async () => {
    const disk = net.directory()
    // A mount namespace of its own: the disk exists for the server alone, and is removed with it.
    const daemon = await Daemon.start(net, server, {
      server: [`REPLAY_DB ${disk}/replay.db`],
      access: stanza(['FW_ACCESS_TIMEOUT 2']),
      inside: ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=192k,mode=700 tmpfs "$0" && exec "$@"', disk],
    })
    const inDisk = (script: string): string =>
      server.must(['nsenter', `--mount=/proc/${daemon.pid}/ns/mnt`, 'sh', '-c', script])
    assert.equal((await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))).verdict, 'granted')
    inDisk(`dd if=/dev/zero of=${disk}/ballast bs=1k 2>/dev/null; true`)
    const from = daemon.events.length
    for (let i = 0; i < 30 && !daemon.events.some(({ code }) => code === 'REPLAY_STORE_FAILED'); i++) {
      const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/23'))
      // What still fits is recorded; the rest is refused. Nothing is granted that is not recorded.
      assert.ok(verdict.verdict === 'granted' || verdict.code === 'REPLAY_STORE_FAILED', JSON.stringify(verdict))
    }
    const refused = await daemon.until(({ code }) => code === 'REPLAY_STORE_FAILED', from)
    assert.equal(refused.verdict, 'refused')
    assert.equal(refused.level, 'error')
    inDisk(`rm ${disk}/ballast`)
    assert.equal((await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))).verdict, 'granted')
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    await daemon.stop()
  })

  /** The files of a server without faults, and the command that starts it. */
  function ordinaryFiles(conf = ''): { readonly folder: string; readonly argv: readonly string[] } {
    const folder = net.directory()
    mkdirSync(join(folder, 'state'), { mode: 0o700 })
    const places = ['REPLAY_DB state/replay.db', 'CONTROL_SOCKET state/control.sock', 'FWKNOP_PID_FILE state/pid']
    const lines = places.map((line) => `${line.replace(' ', ` ${folder}/`)};\n`).join('')
    writeFileSync(join(folder, 'fwknopd.conf'), lines + conf, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), stanza(), { mode: 0o600 })
    return {
      folder,
      argv: ghostportCommand('serve', '-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf')),
    }
  }

  /** A server whose log goes to a pipe that is full, and that nobody reads. */
  async function serveUnread(conf: string, as = '') {
    const { folder, argv } = ordinaryFiles(conf)
    const script = `(head -c 65536 /dev/zero; ${as} "$@" 2> /dev/null; echo $? > ${folder}/status) | sleep 60`
    server.start(['bash', '-c', script, 'serve', ...argv])
    const text = (name: string): string =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : ''
    const until = async <T>(read: () => T | undefined, deadlineMs: number): Promise<T | undefined> => {
      for (const deadline = performance.now() + deadlineMs; performance.now() < deadline; await delay(20)) {
        const value = read()
        if (value !== undefined) return value
      }
      return undefined
    }
    return {
      /** Once a thread of it waits for the reader. */
      pid: () =>
        until(() => {
          const pid = Number(text('state/pid') || Number.NaN)
          return !Number.isNaN(pid) && isWriting(pid) ? pid : undefined
        }, 20_000),
      status: (deadlineMs: number) =>
        until(() => (text('status').endsWith('\n') ? Number(text('status')) : undefined), deadlineMs),
    }
  }

  it('is stopped by a signal although nobody reads its log', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const unread = await serveUnread('')
      const pid = await unread.pid()
      assert.ok(pid !== undefined)
      process.kill(pid, signal)

      assert.equal(await unread.status(5000), 0, signal)
    }
  })

  it('ends with its status where a start fails and nobody reads why', async () => {
    // The warning of the interface is what fills the log.
    const unread = await serveUnread('PCAP_INTF eth0, absent0;\n', 'setpriv --bounding-set=-net_admin --')
    assert.equal(await unread.status(15_000), 69)
  })

  /** A server that has begun to start: its signals are heard, and nothing is ready. */
  async function beginning() {
    const { folder, argv } = ordinaryFiles()
    const program = server.start(argv)
    const title = (): string => readFileSync(`/proc/${program.pid}/cmdline`, 'utf8').replace(/\0+$/, '')
    for (let i = 0; i < 10_000 && title() !== WARDEN_TITLE; i++) await delay(1)
    return { program, folder }
  }

  it('survives a SIGHUP from before it is ready', async () => {
    const { program } = await beginning()
    process.kill(program.pid, 'SIGHUP')
    await program.says(/"event":"ready"/)
    await program.says(/"event":"reload"/)
    await program.stop()
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`ends in order after a ${signal} from before it is ready`, async () => {
      const { program, folder } = await beginning()
      process.kill(program.pid, signal)
      assert.equal(await program.ended, 0, program.output)
      assert.match(program.output, new RegExp(`"event":"signal","signal":"${signal}"`))
      assert.deepEqual(readdirSync(join(folder, 'state')).toSorted(), ['replay.db'], program.output)
      const left = server.run(['pgrep', '-f', 'ghostport: ']).stdout.split('\n')
      assert.deepEqual(
        left.filter((pid) => pid !== '' && inside(server, pid)),
        [],
      )
    })

  it('NAT to nowhere is refused by name', async () => {
    const daemon = await Daemon.start(net, server, {
      server: ['ENABLE_IPT_FORWARDING Y'],
      access: stanza(['FW_ACCESS_TIMEOUT 2', 'NAT_TARGETS ANY']),
    })
    const nowhere = ['0.0.0.0:22', '224.0.0.1:22', 'no-such-host.invalid:22']
    for (const target of nowhere) {
      const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/443', '-N', target))
      assert.equal(verdict.code, 'ACCESS_NAT_TARGET_INVALID', `${target}: ${JSON.stringify(verdict)}`)
    }
    await daemon.stop()
  })
})

/** Whether a thread of a process is blocked in a write to a pipe. */
function isWriting(pid: number): boolean {
  const threads = `/proc/${pid}/task`
  return readdirSync(threads).some((thread) => /pipe_write/.test(readFileSync(`${threads}/${thread}/wchan`, 'utf8')))
}

/** Whether a process runs on this host. */
function inside(host: Host, pid: string): boolean {
  const namespace = (of: string | number): string => host.run(['readlink', `/proc/${of}/ns/net`]).stdout
  return namespace(pid) === namespace(host.pid)
}
