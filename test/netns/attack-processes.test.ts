/**
 * Attacks on the two processes by other users of the host, and by other processes of the receiver's own user. Each
 * attack is carried out.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server, with the attackers on it
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, Daemon, ghostportCommand, knock, SERVER, stanza, wardenPriority } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

/** The receiver's user if no user was made for it. */
const RECEIVER_UID = 60_900
const NOBODY = 65_534

describe('the two processes', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    daemon = await Daemon.start(net, server, { access: stanza(['FW_ACCESS_TIMEOUT 5']) })
  })
  after(async () => await net?.close())

  const lastReady = () => daemon.events.findLast(({ event }) => event === 'ready')
  const receiver = (): number => Number(lastReady()?.['receiver'])
  const status = (pid: number, task = pid): string => readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')
  const field = (text: string, name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
  /** Runs a shell line on the server as a user without rights. @returns its exit status. */
  const as = (uid: number, line: string) =>
    server.run(['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', 'sh', '-c', line])
  const opens = async (): Promise<void> => {
    const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
    assert.equal(verdict.verdict, 'granted')
  }
  /** The next receiver, once it is ready. */
  const nextAfter = async (pid: number): Promise<void> => {
    await daemon.until(
      ({ event, receiver: next }) => event === 'ready' && next !== pid && next === receiver(),
      0,
      20_000,
    )
    for (const deadline = performance.now() + 20_000; receiver() === pid; await delay(10))
      assert.ok(performance.now() < deadline, daemon.program.output)
  }

  it('open no inspector at SIGUSR1, and go on', async () => {
    for (const pid of [daemon.pid, receiver()]) process.kill(pid, 'SIGUSR1')
    await delay(300)
    assert.equal(server.must(['ss', '-Hltn', 'sport = :9229']), '')
    assert.equal(receiver(), Number((await daemon.ready())['receiver']), 'the receiver is the same')
    await opens()
  })

  it('run as a user that runs nothing else, and whom nobody may stop', () => {
    assert.deepEqual(field(status(receiver()), 'Uid').split(/\s+/), Array(4).fill(String(RECEIVER_UID)))
    assert.notEqual(as(NOBODY, `kill -9 ${receiver()}`).status, 0)
    assert.notEqual(as(NOBODY, `kill -9 ${daemon.pid}`).status, 0)
  })

  it('come before other work of the machine', () => {
    const priority = wardenPriority()
    assert.deepEqual([getPriority(daemon.pid), getPriority(receiver())], [priority, priority])
  })

  for (const [whose, pid] of [
    ['receiver’s', () => receiver()],
    ['warden’s', () => daemon.pid],
  ] as const)
    it(`the ${whose} memory, descriptors and environment are nobody else’s, nor the receiver’s own user’s`, () => {
      for (const uid of [NOBODY, RECEIVER_UID])
        for (const file of ['mem', 'environ', 'maps', 'fd/0', 'fd/4', 'auxv'])
          assert.notEqual(as(uid, `exec 9< /proc/${pid()}/${file}`).status, 0, `${file} as ${uid}`)
    })

  it('a new receiver’s memory cannot be opened in its first moments either', async () => {
    // The attacker is the receiver's own user. It kills the receiver and waits for the next one.
    const attacker = `
      const { openSync, readdirSync, readFileSync, writeSync } = require('node:fs')
      let mine = 0
      for (const end = Date.now() + 2500; Date.now() < end; )
        for (const pid of readdirSync('/proc')) {
          if (!/^[0-9]+$/.test(pid) || Number(pid) < ${receiver()} || Number(pid) === process.pid) continue
          try {
            // Not this attacker's own command line, nor that of another run of this test.
            if (!/receiver[.]ts|ghostport: recei[v]er/.test(readFileSync('/proc/' + pid + '/cmdline', 'latin1'))) continue
            openSync('/proc/' + pid + '/mem', 'r')
            mine++
          } catch {}
        }
      writeSync(1, 'opened ' + mine)`
    for (let round = 0; round < 3; round++) {
      const before = receiver()
      const lurking = server.start(
        [
          'setpriv',
          '--reuid',
          `${RECEIVER_UID}`,
          '--regid',
          `${RECEIVER_UID}`,
          '--clear-groups',
          process.execPath,
          '-e',
          attacker,
        ],
        { cwd: '/' },
      )
      await delay(300)
      assert.equal(as(RECEIVER_UID, `kill -9 ${before}`).status, 0)
      await lurking.ended
      assert.equal(lurking.output, 'opened 0')
      await nextAfter(before)
    }
    await opens()
  })

  it('each thread of the receiver is confined, and has no way to more rights', () => {
    const pid = receiver()
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const text = status(pid, Number(task))
      assert.equal(field(text, 'Seccomp'), '2', `thread ${task} ${field(text, 'Name')}`)
      assert.equal(field(text, 'NoNewPrivs'), '1', `thread ${task}`)
    }
    assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'), /^Max processes +0 +0 /m)
    const files = server.must(['ls', '-l', `/proc/${pid}/fd`])
    assert.doesNotMatch(files, /io_uring|\/dev\/(tty|pts)/)
  })

  it('no core is written of either', () => {
    for (const pid of [daemon.pid, receiver()]) {
      assert.equal(field(status(pid), 'CoreDumping'), '0')
      // In /proc, a process that may not be dumped belongs to root.
      assert.match(server.must(['stat', '-c', '%u', `/proc/${pid}/mem`]), /^0\n$/)
      assert.equal(readFileSync(`/proc/${pid}/coredump_filter`, 'latin1').trim(), '00000000')
    }
  })

  it('on a terminal, the receiver has none', async () => {
    const words = ghostportCommand('serve', '-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf'))
    await daemon.stop()
    // script(1) gives it a terminal of its own, as for a person at a shell.
    const typed = spawn(
      'nsenter',
      [`--net=/proc/${server.pid}/ns/net`, 'script', '-qec', words.map((word) => `'${word}'`).join(' '), '/dev/null'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    let output = ''
    typed.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1')
    })
    for (const deadline = performance.now() + 20_000; !/"event":"ready"/.test(output); await delay(20))
      assert.ok(performance.now() < deadline, output)
    const { warden, receiver: pid } = JSON.parse(/\{[^\n]*"event":"ready"[^\n]*\}/.exec(output)?.[0] ?? '')
    const [session, terminal] = server
      .must(['ps', '-o', 'sid=,tty=', '-p', `${pid}`])
      .trim()
      .split(/\s+/)
    assert.deepEqual([session, terminal], [String(pid), '?'])
    assert.match(server.must(['ps', '-o', 'tty=', '-p', `${warden}`]), /pts/)
    assert.doesNotMatch(server.must(['ls', '-l', `/proc/${pid}/fd`]), /\/dev\/(tty|pts)/)
    const ended = once(typed, 'exit')
    process.kill(warden, 'SIGTERM')
    await ended
    await daemon.again()
  })

  it('an option that opens an inspector is refused, wherever it is given', () => {
    for (const env of [{ NODE_OPTIONS: '--inspect=127.0.0.1:0' }, { NODE_OPTIONS: '--inspect-port=0 --inspect' }]) {
      const { status: ended, stderr } = server.run(ghostportCommand('version'), { env })
      assert.equal(ended, 77)
      assert.match(stderr, /\[PROCESS_EXPOSED\]/)
    }
  })
})
