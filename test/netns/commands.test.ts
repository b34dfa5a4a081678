/**
 * Command messages (`knock -C`): what runs, as whom, with which words; what is refused; and what a command that hangs,
 * forks, floods or does not exist does to the server. `sudo.test.ts` has sudo.
 *
 *   client 10.9.0.1 ── server 10.9.0.2
 */
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { EXECUTOR_TITLE } from '../../src/system/own-process.ts'
import { clientAndServer, Daemon, type LogEvent, SERVER, stanza, wardenPriority } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { childOf, priorities } from '../support/processes.ts'

/** Of stanza n; each has keys of its own. */
const keysOf = (n: number) => ({ key: `encryption ${n}`, hmac: `authentication ${n}` })
const flagsOf = (n: number) => ['--key-rijndael', keysOf(n).key, '--key-hmac', keysOf(n).hmac] as const

describe('command messages', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let idProgram: string

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    const folder = net.directory()
    chmodSync(folder, 0o755)
    copyFileSync('/usr/bin/id', `${folder}/id`)
    chmodSync(`${folder}/id`, 0o4755)
    idProgram = `${folder}/id`
    daemon = await Daemon.start(net, server, {
      server: ['CMD_EXEC_TIMEOUT 2', 'LOG_LIMIT 1000'],
      access: [
        stanza(['NAME any', 'ENABLE_CMD_EXEC Y'], keysOf(1)),
        stanza(['NAME few', 'ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER nobody', 'CMD_REGEX (id|echo) ?[a-z]*'], keysOf(2)),
        stanza(['NAME suid', 'ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER nobody', `CMD_REGEX ${folder}/id`], keysOf(5)),
        stanza(['NAME none', 'OPEN_PORTS tcp/22'], keysOf(4)),
      ].join('\n'),
    })
  })
  after(() => net?.close())

  /** Sends a command, and returns the verdict and the end of the command. */
  async function command(n: number, text: string): Promise<{ verdict: LogEvent; ended: LogEvent | undefined }> {
    const verdict = await sendCommand(n, text)
    return { verdict, ended: verdict.verdict === 'granted' ? await endOf(verdict) : undefined }
  }
  function sendCommand(n: number, text: string): Promise<LogEvent> {
    return daemon.verdictAfter(() => {
      const sent = client.run(knockWords(n, text))
      assert.equal(sent.status, 0, sent.stderr)
    })
  }
  function endOf(verdict: LogEvent): Promise<LogEvent> {
    return daemon.until(({ event, job }) => event === 'command' && job === verdict['job'])
  }
  function knockWords(n: number, text: string): readonly string[] {
    return [
      'fwknop',
      '--no-rc-file',
      '--no-home-dir',
      '--no-save-args',
      '-E',
      'none',
      '-D',
      SERVER,
      '-s',
      ...flagsOf(n),
      '-C',
      text,
    ]
  }

  it('of the real fwknop client run, with output and status in the log', async () => {
    const { verdict, ended } = await command(1, 'sh -c exit\\ 3')
    assert.equal(verdict['command'], 'sh -c exit\\ 3')
    // No quoting: the words are “exit\\” and “3”.
    assert.deepEqual([ended?.['end'], ended?.['status'] !== 0, ended?.level], ['exit', true, 'warning'])
    const echo = await command(1, '/bin/echo $HOME `id` ; reboot | "a  b" * && x')
    assert.equal(echo.ended?.['output'], '$HOME `id` ; reboot | "a b" * && x')
    assert.deepEqual([echo.ended?.['status'], echo.ended?.['name'], echo.ended?.['for']], [0, 'any', '10.9.0.1'])
  })

  it('of our own client run too, as root with a clean environment', async () => {
    const verdict = await daemon.verdictAfter(() => {
      const words = ['-D', SERVER, '-s', '-C', 'env']
      const { status, stderr } = client.run([
        process.execPath,
        '--conditions=ghostport-source',
        new URL('../../src/cli/ghostport.ts', import.meta.url).pathname,
        'knock',
        '--no-rc-file',
        ...flagsOf(1),
        ...words,
      ])
      assert.equal(status, 0, stderr)
    })
    const ended = await endOf(verdict)
    const lines = String(ended['output']).split('\\n')
    assert.ok(lines.includes('GHOSTPORT_SRC=10.9.0.1') && lines.includes('GHOSTPORT_STANZA=any'), lines.join(' '))
    assert.ok(
      lines.every((line) => /^(PATH|LC_ALL|HOME|USER|LOGNAME|SHELL|GHOSTPORT_[A-Z_]+)=/.test(line)),
      lines.join(' '),
    )
  })

  it('run with the normal priority, which the server itself has not', async () => {
    const priority = wardenPriority()
    assert.deepEqual(priorities(daemon.pid), [priority])
    const normal = Math.max(priority, 0)
    assert.deepEqual(priorities(childOf(daemon.pid, EXECUTOR_TITLE)), [normal])
    const { ended } = await command(1, 'nice')
    assert.equal(ended?.['output'], `${normal}`)
  })

  it('run as CMD_EXEC_USER, and only where CMD_REGEX matches the whole command', async () => {
    const { ended } = await command(2, 'id')
    assert.match(String(ended?.['output']), /^uid=\d+\(nobody\) gid=\d+\(nogroup\) groups=\d+\(nogroup\)$/)
    for (const text of ['ls', 'id x;reboot', 'echo a b', 'xid']) {
      const { verdict } = await command(2, text)
      assert.equal(verdict.code, 'ACCESS_COMMAND_DENIED', text)
    }
  })

  it('may be set-user-id programs, as sudo is, also after the executor was started again', async () => {
    for (let i = 0; i < 2; i++) {
      assert.match(String((await command(5, idProgram)).ended?.['output']), /uid=\d+\(nobody\).* euid=0\(root\)/)
      if (i > 0) break
      const executor = executorOf(daemon.pid)
      process.kill(executor, 'SIGKILL')
      for (let n = 0; n < 200 && [0, executor].includes(executorOf(daemon.pid)); n++) await delay(50)
    }
  })

  it('are refused where the stanza runs none', async () => {
    assert.equal((await command(4, 'id')).verdict.code, 'ACCESS_COMMAND_DENIED')
  })

  it('that hang, flood or do not exist are told as that, and others run meanwhile', async () => {
    const hanging = await sendCommand(1, 'sleep 60')
    const { ended: beside } = await command(2, 'echo beside')
    assert.equal(beside?.['output'], 'beside')
    assert.equal((await endOf(hanging))['end'], 'timeout')
    const { ended: flood } = await command(1, 'head -c 100000000 /dev/zero')
    assert.deepEqual([flood?.['end'], flood?.['outputBytes']], ['exit', 100_000_000])
    assert.ok(String(flood?.['output']).length <= 2000)
    const { ended: absent } = await command(1, 'no-such-program')
    assert.deepEqual([absent?.['end'], absent?.level], ['not started', 'warning'])
  })

  it('are in the status', () => {
    const { commands } = daemon.status() as unknown as {
      commands: { running: number; ended: number; failed: number; last: object[] }
    }
    assert.equal(commands.running, 0)
    assert.ok(commands.ended >= 7 && commands.failed >= 3 && commands.last.length >= 7)
    const text = server.must([
      process.execPath,
      '--conditions=ghostport-source',
      new URL('../../src/cli/ghostport.ts', import.meta.url).pathname,
      'status',
      '--socket',
      daemon.path('state/control.sock'),
    ])
    assert.match(text, /commands: 0 running, \d+ ended, \d+ failed/)
  })

  it('are granted again after the executor was killed, and a reload changes what may run', async () => {
    const executor = executorOf(daemon.pid)
    const before = daemon.events.length
    process.kill(executor, 'SIGKILL')
    await daemon.until(({ event }) => event === 'executor lost', before)
    for (let i = 0; i < 100 && executorOf(daemon.pid) === 0; i++) await delay(50)
    assert.notEqual(executorOf(daemon.pid), executor)
    assert.equal((await command(1, 'echo again')).ended?.['output'], 'again')
    const from = daemon.events.length
    daemon.configure({
      server: ['CMD_EXEC_TIMEOUT 2'],
      access: stanza(['NAME any', 'ENABLE_CMD_EXEC Y', 'CMD_REGEX echo x'], keysOf(1)),
    })
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from)
    assert.equal((await command(1, 'echo x')).ended?.['output'], 'x')
    assert.equal((await command(1, 'echo y')).verdict.code, 'ACCESS_COMMAND_DENIED')
  })

  it('end with the server, and leave no process', async () => {
    const ended = command(1, 'echo x').catch(() => {})
    await ended
    const executor = executorOf(daemon.pid)
    assert.notEqual(executor, 0)
    await daemon.stop()
    assert.ok(!existsSync(`/proc/${executor}`))
  })
})

const executorOf = (warden: number): number => childOf(warden, 'ghostport: executor')
