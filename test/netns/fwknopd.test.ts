/**
 * `fwknopd` as a real daemon: in the background, told what to do by its own options, logging to a real /dev/log, with
 * knocks of the real fwknop. The hosts:
 *
 *     client 10.9.0.1 ── 10.9.0.2 server: drops by default, ssh on tcp/22
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { keys, sendPacket, stanza } from '../support/daemon.ts'
import { dropByIptables } from '../support/iptables-host.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'
import { SyslogSocket, withDevLog } from '../support/syslog-socket.ts'

const SERVER = '10.9.0.2'
const LIFETIME = 3
const program = [
  process.execPath,
  '--conditions=ghostport-source',
  fileURLToPath(new URL('../../src/cli/fwknopd.ts', import.meta.url)),
]

describe('fwknopd in the background', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let syslog: SyslogSocket
  let folder = ''
  /** Each server that was started. */
  const started = new Set<number>()

  const path = (name: string): string => join(folder, name)
  const files = () => ['-c', path('fwknopd.conf'), '-a', path('access.conf')]
  /** The program, told something. */
  const fwknopd = (...argv: readonly string[]): Outcome => server.run([...program, ...files(), ...argv])
  const start = (...argv: readonly string[]): Outcome =>
    server.run([...withDevLog(syslog.path), ...program, ...files(), ...argv])
  const pid = (): number => {
    const number = Number(readFileSync(path('run/fwknopd.pid'), 'utf8'))
    started.add(number)
    return number
  }
  const rules = (): string => server.run(['iptables', '-S', 'FWKNOP_INPUT']).stdout

  function configure(...more: readonly string[]): void {
    const lines = [`FWKNOP_RUN_DIR ${path('run')}`, 'SYSLOG_IDENTITY door', 'SYSLOG_FACILITY LOG_LOCAL3', ...more]
    writeFileSync(path('fwknopd.conf'), lines.map((line) => `${line};\n`).join(''), { mode: 0o600 })
    writeFileSync(path('access.conf'), stanza([`FW_ACCESS_TIMEOUT ${LIFETIME}`, 'OPEN_PORTS tcp/22']), { mode: 0o600 })
  }

  /** The real client. */
  function knock(...argv: readonly string[]): void {
    const home = ['--no-home-dir', '--no-rc-file', '--no-save-args', '-E', path('args')]
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
    client.must(['fwknop', ...home, ...secrets, '-D', SERVER, '-s', '-A', 'tcp/22', ...argv])
  }

  /** Waits until the port is open. */
  async function knockHeard(): Promise<void> {
    const from = syslog.messages().length
    knock()
    await syslog.says(/Added access rule/, from)
  }

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    dropByIptables(server, 'nft')
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    folder = net.directory()
    mkdirSync(path('state'))
    syslog = new SyslogSocket(path('devlog'))
    configure()
  })
  after(async () => {
    for (const number of started)
      try {
        process.kill(number, 'SIGKILL')
      } catch {
        // It has ended.
      }
    syslog?.[Symbol.dispose]()
    await net?.close()
  })

  it('starts: its parent ends when packets are received', async () => {
    assert.deepEqual(start(), { status: 0, stdout: '', stderr: '' })
    await syslog.says(/^<158>\w{3} [ \d]\d \d\d:\d\d:\d\d door\[\d+\]: Starting fwknopd main event loop\.$/)
    const number = pid()
    assert.match(await syslog.says(/Starting fwknopd$/), new RegExp(`door\\[${number}\\]`))
    assert.deepEqual(fwknopd('-S'), {
      status: 0,
      stdout: `Detected fwknopd is running (pid=${number}).\n`,
      stderr: '',
    })
    assert.match(server.run(['fwknopd', ...files(), '--status']).stdout, new RegExp(`\\(pid=${number}\\)`))
  })

  it('is a daemon: a session of its own, no terminal, the root as its folder', () => {
    const number = pid()
    const [, , , session = '', terminal = ''] = readFileSync(`/proc/${number}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    assert.equal(Number(session), number)
    assert.equal(terminal, '0')
    assert.equal(readlinkSync(`/proc/${number}/cwd`), '/')
    for (const descriptor of [0, 1, 2]) assert.equal(readlinkSync(`/proc/${number}/fd/${descriptor}`), '/dev/null')
  })

  it('opens the port for the real client, with lines in the words of fwknopd', async () => {
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 200 }), 'timeout')
    const from = syslog.messages().length
    knock()
    await syslog.says(/: \(stanza #1\) SPA Packet from IP: 10\.9\.0\.1 received with access source match$/, from)
    await syslog.says(
      /: Added access rule to FWKNOP_INPUT for 10\.9\.0\.1 -> 0\.0\.0\.0\/0 tcp\/22, expires at \d{10}$/,
      from,
    )
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
  })

  it('lists the rule while it lives, and tells its end', async () => {
    const listed = fwknopd('--fw-list')
    assert.equal(listed.status, 0, listed.stderr)
    assert.match(listed.stdout, /^Listing rules in fwknopd iptables chains\.\.\.$/m)
    assert.match(listed.stdout, /^1 +ACCEPT .* 10\.9\.0\.1 .* tcp dpt:22 .*_exp_\d{10}/m)
    assert.match(fwknopd('--fw-list-all').stdout, /^Chain INPUT \(policy DROP/m)
    await syslog.says(/: Removed rule tcp\/22 for 10\.9\.0\.1 from FWKNOP_INPUT with expire time of \d{10}$/)
    assert.doesNotMatch(fwknopd('--fw-list').stdout, /_exp_/)
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 200 }), 'timeout')
  })

  it('refuses a second start, and names the first', () => {
    const number = pid()
    const second = {
      status: 1,
      stdout: '',
      stderr: `[*] An instance of fwknopd is already running: (PID=${number}).\n`,
    }
    assert.deepEqual(start(), second)
    assert.deepEqual(start('-f'), second)
    assert.equal(pid(), number)
  })

  it('-R lets it read its files again, and a faulty file changes nothing', async () => {
    const from = syslog.messages().length
    configure('SYSLOG_IDENTITY_ x', 'VERBOSE 1')
    assert.equal(fwknopd('-R').stdout, `Sent restart signal to fwknopd (pid=${pid()})\n`)
    await syslog.says(/: Got SIGHUP\. Re-reading configs\.$/, from)
    await syslog.says(/'SYSLOG_IDENTITY_': there is no such variable — perhaps: SYSLOG_IDENTITY$/, from)
    await syslog.says(/: Re-starting fwknopd$/, from)
    await syslog.says(/: Starting fwknopd main event loop\.$/, from)
    writeFileSync(path('access.conf'), 'SOURCE ANY\nKEY_BASE64 ?\n')
    const later = syslog.messages().length
    process.kill(pid(), 'SIGHUP')
    await syslog.says(/reload refused: .*access\.conf:2: /, later)
    knock()
    await syslog.says(/Added access rule/, later)
    configure()
  })

  it('-R makes every setting count, and ends what was open, as fwknopd does', async () => {
    await knockHeard()
    assert.match(rules(), /--dport 22/)
    const from = syslog.messages().length
    const number = pid()
    configure('PCAP_FILTER udp port 4000', 'SYSLOG_IDENTITY spa')
    writeFileSync(
      path('fwknopd.conf'),
      readFileSync(path('fwknopd.conf'), 'utf8').replace('SYSLOG_IDENTITY door;\n', ''),
    )
    assert.equal(fwknopd('-R').status, 0)
    await syslog.says(/spa\[\d+\]: Re-starting fwknopd$/, from)
    await syslog.says(/PCAP filter is: 'udp port 4000'$/, from)
    await syslog.says(/Starting fwknopd main event loop\.$/, from)
    assert.doesNotMatch(rules(), /--dport 22/)
    assert.equal(pid(), number)
    knock('-p', '4000')
    await syslog.says(/Added access rule/, from)
    configure()
    const later = syslog.messages().length
    assert.equal(fwknopd('-R').status, 0)
    await syslog.says(/door\[\d+\]: Re-starting fwknopd$/, later)
    await syslog.says(/Starting fwknopd main event loop\.$/, later)
    assert.equal(readFileSync(`/proc/${number}/comm`, 'utf8'), 'fwknopd\n')
  })

  it('after kill -9, the old pid file names nobody, and the next start ends what was open', async () => {
    await knockHeard()
    assert.match(rules(), /--dport 22/)
    const number = pid()
    process.kill(number, 'SIGKILL')
    for (const flag of ['-S', '-K', '-R'])
      assert.deepEqual(fwknopd(flag), { status: 1, stdout: 'No running fwknopd detected.\n', stderr: '' })
    assert.equal(readFileSync(path('run/fwknopd.pid'), 'utf8'), `${number}\n`)
    assert.equal(start().status, 0)
    assert.notEqual(pid(), number)
    assert.doesNotMatch(rules(), /--dport 22/)
  })

  it('-K stops it, and nothing is left in the firewall', async () => {
    const from = syslog.messages().length
    const number = pid()
    assert.deepEqual(fwknopd('-K'), { status: 0, stdout: `Killed fwknopd (pid=${number}) via SIGTERM\n`, stderr: '' })
    await syslog.says(/: Got SIGTERM\. Exiting\.\.\.$/, from)
    await syslog.says(/: Shutting Down fwknopd\.$/, from)
    assert.doesNotMatch(server.must(['iptables-save']), /FWKNOP/)
    assert.equal(fwknopd('-S').status, 1)
  })

  it('of two starts at once, one runs', async () => {
    const both = [0, 1].map(() => server.start([...withDevLog(syslog.path), ...program, ...files()]))
    const ends = await Promise.all(both.map((one) => one.end()))
    assert.deepEqual(ends.toSorted(), [0, 1], both.map(({ output }) => output).join())
    const number = pid()
    assert.match(both.map(({ output }) => output).join(''), /already running: \(PID=(\d+|unknown)\)/)
    assert.equal(fwknopd('-S').stdout, `Detected fwknopd is running (pid=${number}).\n`)
    assert.equal(fwknopd('-K').status, 0)
  })

  it('-t judges packets and opens nothing, and -C ends it after so many', async () => {
    const running = server.start([...program, ...files(), '-ftC2', '--no-ipt'])
    await running.says(/Starting fwknopd main event loop/)
    knock()
    await running.says(/\[10\.9\.0\.1\] \(stanza #1\) --test mode enabled, skipping firewall manipulation\./)
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 200 }), 'timeout')
    knock()
    assert.equal(await running.end(), 0)
    assert.match(running.output, /Incoming packet count limit of 2 reached\n(.*\n)*Shutting Down fwknopd\.\n/)
    assert.match(running.output, /^--no-ipt-check-support has no effect: /m)
    assert.doesNotMatch(running.output, /Added|Removed/)
    assert.equal(fwknopd('-C', 'many', '-f').status, 1)
  })

  it('--syslog-enable logs to both in the foreground, and two signals at once are not one', async () => {
    const from = syslog.messages().length
    const running = server.start([...withDevLog(syslog.path), ...program, ...files(), '-f', '--syslog-enable'])
    await running.says(/Starting fwknopd main event loop/)
    await syslog.says(/: Starting fwknopd main event loop\.$/, from)
    for (const wait of [0, 150]) {
      await delay(wait)
      process.kill(pid(), 'SIGHUP')
    }
    await running.says(/(Re-starting fwknopd\n(.*\n)*){2}Starting fwknopd main event loop/)
    process.kill(pid(), 'SIGINT')
    assert.equal(await running.end(), 0)
    await syslog.says(/: Got SIGINT\. Exiting\.\.\.$/, from)
    assert.match(running.output, /^Got SIGINT\. Exiting\.\.\.$/m)
  })

  it('names each stanza for the source that did not take a packet', async () => {
    const [first, second] = [stanza(['OPEN_PORTS tcp/25']), stanza(['OPEN_PORTS tcp/22'])]
    writeFileSync(path('access.conf'), `${first}${second}SOURCE 10.9.9.9\nKEY elsewhere\nHMAC_KEY else\n`, {
      mode: 0o600,
    })
    const running = server.start([...program, ...files(), '-f', '-C', '2'])
    await running.says(/Starting fwknopd main event loop/)
    knock()
    await running.says(/Added access rule/)
    knock('--key-hmac', 'another')
    assert.equal(await running.end(), 0)
    const told = running.output.split('\n').filter((line) => line.includes('stanza #'))
    const match = (id: number): string =>
      `(stanza #${id}) SPA Packet from IP: 10.9.0.1 received with access source match`
    const mismatch = (id: number): string =>
      `[10.9.0.1] (stanza #${id}) Error creating fko context: Args contain invalid data: FKO_ERROR_INVALID_DATA_HMAC_COMPAREFAIL`
    assert.deepEqual(told, [
      match(1),
      '[10.9.0.1] (stanza #1) One or more requested protocol/ports was denied per access.conf.',
      match(2),
      match(1),
      mismatch(1),
      match(2),
      mismatch(2),
    ])
    configure()
  })

  it('-f -v -v shows what it has read, and no key', async () => {
    const running = server.start([...program, ...files(), '-f', '-v', '-v', '-C', '1'])
    await running.says(/^Current fwknopd config settings:\n(.*\n)*SOURCE \(1\): {2}ANY\n(.*\n)*Starting fwknopd main/m)
    knock()
    assert.equal(await running.end(), 0)
    assert.match(running.output, /^ +OPEN_PORTS: {2}tcp\/22$/m)
    for (const secret of Object.values(keys)) assert.ok(!running.output.includes(secret))
  })

  it('-v tells what a packet says, and no key', async () => {
    const running = server.start([...program, ...files(), '-f', '-v', '-C', '1'])
    await running.says(/Starting fwknopd main event loop/)
    knock('-U', 'ada', '-f', '5')
    assert.equal(await running.end(), 0)
    assert.match(running.output, /^SPA Packet: '[\w+/]{140,}'$/m)
    assert.match(running.output, /^ {7}Username: ada\n {6}Timestamp: \d{10}$/m)
    assert.match(running.output, /^ {3}Message Type: 3 \(.*\)\n Message String: 0\.0\.0\.0,tcp\/22$/m)
    assert.match(running.output, /^ Final SPA Data: [\w+/]{140,}$/m)
    for (const secret of Object.values(keys)) assert.doesNotMatch(running.output, new RegExp(secret))
  })

  it('-v -v tells of what cannot be an SPA packet', async () => {
    const running = server.start([...program, ...files(), '-f', '-v', '-v', '-C', '2'])
    await running.says(/Starting fwknopd main event loop/)
    const wrong = /Error creating fko context: Args contain invalid data: Not SPA data: not the start of a ciphertext$/m
    sendPacket(client, SERVER, 'A'.repeat(200))
    await running.says(wrong)
    knock()
    assert.equal(await running.end(), 0)
    assert.match(running.output, /^Added /m)
  })

  it('--rotate-digest-cache begins a new record of used packets', async () => {
    const database = path('run/digest.cache.db')
    assert.ok(existsSync(database))
    writeFileSync(path('run/digest.cache'), '# <digest> ...\nno entry\n', { mode: 0o600 })
    const checked = fwknopd('--exit-parse-digest-cache')
    assert.equal(checked.status, 0)
    assert.match(checked.stderr, /^\*Skipping invalid digest file entry in .*digest\.cache at line 2: /m)
    assert.match(checked.stderr, /\(entry count = 0\)\nDigest cache parsed, exiting\.\n$/)
    assert.equal(start('--rotate-digest-cache').status, 0)
    assert.equal(fwknopd('--rotate-digest-cache', '--exit-parse-digest-cache').status, 1)
    assert.ok(existsSync(`${database}-old`) && existsSync(database) && existsSync(path('run/digest.cache-old')))
    pid()
    assert.equal(fwknopd('-K').status, 0)
  })

  it('a start that fails says why, and ends with 1', () => {
    writeFileSync(path('access.conf'), 'SOURCE ANY\n')
    const ran = start()
    assert.equal(ran.status, 1)
    assert.match(ran.stderr, /^fwknopd: .*access\.conf:1: .*\[KEY_MISSING\]|CONFIG_MISSING_KEY/)
    configure('FIREWALL_EXE /usr/sbin/nosuch/iptables')
    const later = start()
    assert.equal(later.status, 1)
    assert.match(later.stderr, /^fwknopd: .*\[FIREWALL_UNAVAILABLE\]\n$/)
    assert.equal(fwknopd('-S').status, 1)
    configure()
    for (const [line, id] of [
      ['CMD_EXEC_USER nosuch', 'UID'],
      ['CMD_EXEC_GROUP nosuch', 'GID'],
    ] as const) {
      writeFileSync(path('access.conf'), stanza([line]), { mode: 0o600 })
      const refused = start()
      assert.equal(refused.status, 1)
      assert.match(refused.stderr, new RegExp(`^\\[\\*\\] Unable to determine ${id} for CMD_EXEC_`))
    }
    configure('PCAP_INTF eth0, nosuch0')
    for (const refused of [start(), start('-f')]) {
      assert.equal(refused.status, 1)
      assert.match(
        refused.stderr,
        /^\[\*\] pcap_open_live\(\) error: nosuch0: No such device exists\nfwknopd: .*“nosuch0”/,
      )
    }
    configure()
    writeFileSync(path('fwknopd.conf'), `FWKNOP_RUN_DIR ${path('access.conf')};\n`)
    for (const refused of [start(), fwknopd('--fw-list')]) {
      assert.equal(refused.status, 1)
      assert.match(refused.stderr, /^\[\*\] Specified Run directory: .*access\.conf is NOT a directory\nfwknopd: /)
    }
    writeFileSync(path('fwknopd.conf'), `FIREWALL iptables;\nFWKNOP_RUN_DIR ${path('deep/run')};\n`)
    const listed = fwknopd('--fw-list')
    assert.equal(listed.status, 0, listed.stderr)
    assert.equal(
      listed.stderr,
      `Run directory: ${path('deep/run')} does not exist. Attempting to create it.\nSuccessfully created Run directory: ${path('deep/run')}\n`,
    )
    assert.equal(statSync(path('deep/run')).mode & 0o7777, 0o700)
    assert.equal(fwknopd('--fw-list').stderr, '')
    writeFileSync(path('fwknopd.conf'), `FWKNOP_RUN_DIR ${path('access.conf/run')};\n`)
    assert.match(fwknopd('--fw-list').stderr, /\nfwknopd: the file cannot be written: FWKNOP_RUN_DIR: /)
    configure()
  })

  it('warns its parent where nothing listens to the log', () => {
    const ran = server.run([...program, ...files()], { timeoutMs: 15_000 })
    const number = pid()
    assert.equal(ran.status, 0, ran.stderr)
    if (!existsSync('/dev/log')) assert.match(ran.stderr, /^warning: nothing listens at \/dev\/log/)
    assert.equal(fwknopd('-K').stdout, `Killed fwknopd (pid=${number}) via SIGTERM\n`)
  })
})
