/**
 * Command cycles: programs that open and close ports, one for each port that is asked for; what happens to a close that
 * is owed when processes are killed, the server is restarted, or the stanza is gone.
 *
 *   client 10.9.0.1 ── server 10.9.0.2
 *
 * The cycle of stanza “nft” puts elements into a set that the host's own rules accept. The others write down what they
 * were called with.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, Daemon, ghostportCommand, type LogEvent, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

/** Of stanza n; each has keys of its own. */
const keysOf = (n: number) => ({ key: `encryption ${n}`, hmac: `authentication ${n}` })
const flagsOf = (n: number) => ['--key-rijndael', keysOf(n).key, '--key-hmac', keysOf(n).hmac] as const
const NFT = '/usr/sbin/nft'

describe('command cycles', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let folder: string

  const access = (): string =>
    [
      stanza(
        [
          'NAME nft',
          'OPEN_PORTS tcp/22, tcp/2222',
          'RESTRICT_PORTS tcp/2223',
          `CMD_CYCLE_OPEN ${NFT} add element inet filter opened { $SRC . $PORT }`,
          `CMD_CYCLE_CLOSE ${NFT} delete element inet filter opened { $SRC . $PORT }`,
          'CMD_CYCLE_TIMER 2',
        ],
        keysOf(1),
      ),
      stanza(
        [
          'NAME all',
          `CMD_CYCLE_OPEN ${folder}/note open $IP $SRC $PKT_SRC $DST $PROTO $PROTOCOL $PORT $CLIENT_TIMEOUT $USER $STANZA x$TIMEOUT`,
          `CMD_CYCLE_CLOSE ${folder}/note close $SRC $PORT`,
          'CMD_CYCLE_TIMER 3600',
          'CMD_CYCLE_USER nobody',
        ],
        keysOf(2),
      ),
      stanza(
        [
          'NAME long',
          `CMD_CYCLE_OPEN ${folder}/note open $PORT`,
          `CMD_CYCLE_CLOSE ${folder}/note close $PORT`,
          'CMD_CYCLE_TIMER 3',
        ],
        keysOf(3),
      ),
      stanza(
        [
          'NAME fails',
          `CMD_CYCLE_OPEN ${folder}/fail`,
          `CMD_CYCLE_CLOSE ${folder}/note undone $PORT`,
          'CMD_CYCLE_TIMER 30',
        ],
        keysOf(4),
      ),
      stanza(['NAME never', `CMD_CYCLE_OPEN ${folder}/note once $PORT`, 'CMD_CYCLE_CLOSE NONE'], keysOf(5)),
      stanza(
        ['NAME nat', `CMD_CYCLE_OPEN ${folder}/note nat $PORT $NAT_HOST $NAT_PORT`, 'CMD_CYCLE_CLOSE NONE'],
        keysOf(6),
      ),
      stanza(
        [
          'NAME slow',
          `CMD_CYCLE_OPEN ${folder}/slow $PORT`,
          `CMD_CYCLE_CLOSE ${folder}/note close $PORT`,
          'CMD_CYCLE_TIMER 3600',
        ],
        keysOf(7),
      ),
      stanza(
        [
          'NAME who',
          `CMD_CYCLE_OPEN ${folder}/note for $USER $PORT`,
          `CMD_CYCLE_CLOSE ${folder}/note no-more $USER $PORT`,
          'CMD_CYCLE_TIMER 2',
        ],
        keysOf(8),
      ),
    ].join('\n')

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    await server.listen([{ protocol: 'tcp', port: 2222, banner: 'second' }])
    server.must([NFT, 'add set inet filter opened { type ipv4_addr . inet_service; }'])
    server.must([NFT, 'insert rule inet filter input ip saddr . tcp dport @opened accept'])
    folder = net.directory()
    chmodSync(folder, 0o777)
    for (const [name, text] of [
      ['note', `echo "$@" >> ${folder}/notes`],
      ['fail', `echo failing; exit 3`],
      ['slow', `echo slow >> ${folder}/notes; sleep 30; echo never >> ${folder}/notes`],
    ] as const)
      writeFileSync(`${folder}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    writeFileSync(`${folder}/notes`, '')
    chmodSync(`${folder}/notes`, 0o666)
    daemon = await Daemon.start(net, server, {
      server: ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y', 'LOG_LIMIT 1000'],
      access: access(),
    })
  })
  after(() => net?.close())

  const notes = (): readonly string[] =>
    readFileSync(`${folder}/notes`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  const forget = (): void => writeFileSync(`${folder}/notes`, '')
  async function noted(count: number): Promise<readonly string[]> {
    for (let i = 0; i < 400 && notes().length < count; i++) await delay(20)
    return notes()
  }
  function knockOn(n: number, ...argv: readonly string[]): Promise<LogEvent> {
    return daemon.verdictAfter(() => {
      const words = ['--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none', '-D', SERVER, '-s', ...flagsOf(n)]
      const { status, stderr } = client.run(['fwknop', ...words, ...argv])
      assert.equal(status, 0, stderr)
    })
  }
  /** The first line about a cycle, from this index on, for which `is` holds. */
  const cycle = (what: string, from: number): Promise<LogEvent> =>
    daemon.until(({ event, cycle }) => event === 'cycle' && cycle === what, from)
  const reach = (port: number) => client.tcp(SERVER, port, { timeoutMs: 100 })

  it('open each port that is asked for, and close each', async () => {
    const from = daemon.events.length
    assert.equal(await reach(22), 'timeout')
    const verdict = await knockOn(1, '-A', 'tcp/22,tcp/2222')
    assert.deepEqual([verdict.verdict, verdict['cycle'], verdict['lifetime']], ['granted', 'tcp/22,tcp/2222', 2])
    await cycle('opened', from)
    await client.until('ssh', { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 500 }, 3000)
    await client.until('second', { protocol: 'tcp', address: SERVER, port: 2222, timeoutMs: 500 }, 3000)
    const { commands } = daemon.status() as unknown as { commands: { cycles: { open: string; stanza: string }[] } }
    assert.deepEqual(commands.cycles.map(({ open, stanza: name }) => [open, name]).toSorted(), [
      ['tcp/22', 'nft'],
      ['tcp/2222', 'nft'],
    ])
    await daemon.until(({ cycle, open }) => cycle === 'closed' && open === 'tcp/22', from)
    await daemon.until(({ cycle, open }) => cycle === 'closed' && open === 'tcp/2222', from)
    for (const port of [22, 2222]) assert.equal(await reach(port), 'timeout')
    assert.deepEqual(daemon.status().grants, [])
  })

  it('keep to OPEN_PORTS, RESTRICT_PORTS and the switches of NAT', async () => {
    for (const argv of [
      ['-A', 'tcp/80'],
      ['-A', 'tcp/22,tcp/80'],
      ['-A', 'tcp/2223'],
    ] as const)
      assert.equal((await knockOn(1, ...argv)).code, 'ACCESS_PORT_DENIED', argv.join(' '))
    assert.equal((await knockOn(6, '-A', 'tcp/22')).code, 'ACCESS_REQUEST_INVALID')
    assert.deepEqual(notes(), [])
    assert.equal((await knockOn(6, '-A', 'tcp/22', '-N', '10.0.0.5:8022')).verdict, 'granted')
    assert.deepEqual(await noted(1), ['nat 22 10.0.0.5 8022'])
    forget()
  })

  it('get all values, and no value is more than one word', async () => {
    const now = Math.floor(Date.now() / 1000)
    assert.equal((await knockOn(2, '-A', 'udp/53', '-f', '1', '-U', "a b $PORT 'x")).verdict, 'granted')
    const [line = ''] = await noted(1)
    const match = /^open 10\.9\.0\.1 10\.9\.0\.1 10\.9\.0\.1 10\.9\.0\.2 17 udp 53 1 a b \$PORT 'x all x(\d+)$/.exec(
      line,
    )
    assert.ok(match, line)
    assert.ok(Math.abs(Number(match[1]) - now - 1) < 10)
    assert.equal((await noted(2))[1], 'close 10.9.0.1 53')
    assert.equal((await knockOn(2, '-A', 'udp/53', '-U', '-rf')).code, 'ACCESS_REQUEST_INVALID')
    forget()
  })

  it('that are asked for again while open are opened once, and their close moves', async () => {
    const from = daemon.events.length
    await knockOn(3, '-A', 'tcp/1001')
    assert.deepEqual(await noted(1), ['open 1001'])
    await delay(1500)
    await knockOn(3, '-A', 'tcp/1001')
    const again = await cycle('refreshed', from)
    const closed = await cycle('closed', from)
    const apart = Date.parse(String(closed['time'])) - Date.parse(String(again['time']))
    assert.ok(apart > 2800, `${apart} ms`)
    assert.deepEqual(notes(), ['open 1001', 'close 1001'])
    forget()
  })

  it('close at once when they are revoked, once, and open again with a new knock', async () => {
    const revoke = (...words: readonly string[]) =>
      server.run(ghostportCommand('revoke', '--socket', daemon.path('state/control.sock'), ...words))
    const from = daemon.events.length
    await knockOn(2, '-A', 'tcp/1005,tcp/1006', '-f', '3600')
    await knockOn(7, '-A', 'tcp/1007')
    assert.equal((await noted(3)).length, 3)
    const done = revoke('all')
    assert.equal(done.status, 0, done.stderr)
    assert.match(done.stdout, /ran 2 close commands of cycles now/)
    assert.deepEqual(notes().slice(3).toSorted(), ['close 10.9.0.1 1005', 'close 10.9.0.1 1006'])
    const closed = await cycle('closed', from)
    assert.equal(closed['because'], 'revoked by the administrator')
    const asked = await daemon.until(({ event }) => event === 'control', from)
    assert.deepEqual([asked['asked'], asked['byUid']], ['revoke all', 0])
    // The other stanza's open command still runs: it is closed afterwards, and the answer says so.
    const late = revoke('--json', '10.9.0.1')
    assert.deepEqual([late.status, JSON.parse(late.stdout).closes], [1, { good: 0, failed: 0, unfinished: 1 }])
    const { commands } = daemon.status() as unknown as { commands: { cycles: unknown[] } }
    assert.deepEqual(commands.cycles, [])
    await knockOn(2, '-A', 'tcp/1005', '-f', '3600')
    assert.equal((await noted(6)).length, 6)
    assert.deepEqual(JSON.parse(revoke('--json', '2').stdout).closes, { good: 1, failed: 0, unfinished: 0 })
    await daemon.until(({ cycle, open }) => open === 'tcp/1007' && cycle === 'closed', from)
    forget()
  })

  it('that say whom they are for are opened for each user, and closed for each', async () => {
    for (const user of ['ada', 'bob']) await knockOn(8, '-A', 'tcp/1005', '-U', user)
    const all = ['for ada 1005', 'for bob 1005', 'no-more ada 1005', 'no-more bob 1005']
    assert.deepEqual((await noted(4)).toSorted(), all)
    forget()
  })

  it('that fail are told, and closed at once', async () => {
    const from = daemon.events.length
    await knockOn(4, '-A', 'tcp/1')
    const failed = await cycle('not opened', from)
    assert.deepEqual(
      [failed.level, failed['end'], failed['status'], failed['output']],
      ['warning', 'exit', 3, 'failing'],
    )
    await cycle('closed', from)
    assert.deepEqual(await noted(1), ['undone 1'])
    forget()
  })

  it('without a close run each time', async () => {
    await knockOn(5, '-A', 'tcp/7')
    await knockOn(5, '-A', 'tcp/7')
    assert.deepEqual(await noted(2), ['once 7', 'once 7'])
    forget()
  })

  for (const [who, pid] of [
    ['executor', () => executorOf(daemon.pid)],
    ['server', () => daemon.pid],
  ] as const)
    it(`that were open when the ${who} was killed close on time, once`, async () => {
      const from = who === 'server' ? 0 : daemon.events.length
      await knockOn(3, '-A', 'tcp/1002')
      assert.deepEqual(await noted(1), ['open 1002'])
      await delay(200)
      process.kill(pid(), 'SIGKILL')
      if (who === 'server') {
        await daemon.program.end()
        await daemon.again()
      }
      await cycle('closed', from)
      await delay(300)
      assert.deepEqual(notes(), ['open 1002', 'close 1002'])
      forget()
    })

  it('that were opening when the server was killed close at its next start', async () => {
    await knockOn(7, '-A', 'tcp/1003')
    assert.deepEqual(await noted(1), ['slow'])
    process.kill(daemon.pid, 'SIGKILL')
    await daemon.program.end()
    await daemon.again()
    await cycle('closed', 0)
    assert.deepEqual(notes(), ['slow', 'close 1003'])
    forget()
  })

  it('that were opening when the server was stopped close at its next start', async () => {
    await knockOn(7, '-A', 'tcp/1004')
    assert.deepEqual(await noted(1), ['slow'])
    await daemon.restart()
    await cycle('closed', 0)
    assert.deepEqual(notes(), ['slow', 'close 1004'])
    forget()
  })

  it('close with their own command after a reload without their stanza, and after a restart too', async () => {
    for (const how of ['reload', 'restart'] as const) {
      daemon.configure({ server: ['LOG_LIMIT 1000'], access: access() })
      await daemon.restart()
      await knockOn(3, '-A', 'tcp/1005')
      assert.deepEqual(await noted(1), ['open 1005'])
      const from = how === 'reload' ? daemon.events.length : 0
      daemon.configure({ server: ['LOG_LIMIT 1000'], access: stanza(['OPEN_PORTS tcp/22'], keysOf(9)) })
      if (how === 'reload') daemon.reload()
      else await daemon.restart()
      await cycle('closed', from)
      assert.deepEqual(notes(), ['open 1005', 'close 1005'])
      forget()
    }
    // Nothing is configured and nothing is owed: the executor ends, and leaves no file.
    for (let i = 0; i < 100 && executorOf(daemon.pid) !== 0; i++) await delay(20)
    assert.equal(executorOf(daemon.pid), 0, daemon.program.output.slice(-3000))
    assert.ok(!existsSync(daemon.path('state/replay.db-owed-closes')))
  })

  it('are closed by --fw-flush, once', async () => {
    daemon.configure({ server: [], access: access() })
    await daemon.restart()
    await knockOn(2, '-A', 'tcp/1006')
    assert.equal((await noted(1)).length, 1)
    const flush = () => {
      const words = ['serve', '--fw-flush', '-c', daemon.path('fwknopd.conf')]
      const { status, stdout, stderr } = server.run(ghostportCommand(...words))
      assert.equal(status, 0, stderr)
      return stdout
    }
    await daemon.stop()
    assert.match(flush(), /^Closes of command cycles that ran: 1 of 1\.$/m)
    assert.equal(notes()[1], 'close 10.9.0.1 1006')
    assert.doesNotMatch(flush(), /command cycles/)
    assert.equal(notes().length, 2)
  })
})

/** The process id of the executor of a warden; 0 if there is none. */
function executorOf(warden: number): number {
  for (const name of readdirSync('/proc').filter((it) => /^[0-9]+$/.test(it))) {
    try {
      const isChild = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === `${warden}`
      if (isChild && readFileSync(`/proc/${name}/cmdline`, 'latin1').startsWith('ghostport: executor'))
        return Number(name)
    } catch {
      // It has ended.
    }
  }
  return 0
}
