/**
 * `ghostport serve` and the service manager that started it: which messages it gets and when, and the level of each
 * line for the journal. socat takes the place of systemd.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, dropByDefault, ghostportCommand, type LogEvent, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'

const OPEN = stanza(['OPEN_PORTS tcp/22'])
const DAMAGED = `${OPEN}OPEN_PROTS tcp/23\n`

describe('the service manager', { skip: netnsUnavailable() }, () => {
  let net: Network
  let server: Host

  before(async () => {
    net = await Network.create()
    server = await net.host('server')
    dropByDefault(server)
  })
  after(() => net?.close())

  /** Listens as systemd does. */
  async function manager(kind: 'path' | 'abstract'): Promise<{ readonly socket: string; readonly heard: Program }> {
    const path = join(net.directory(), 'notify')
    const heard = server.start([
      'socat',
      '-dd',
      '-u',
      `${kind === 'path' ? 'UNIX' : 'ABSTRACT'}-RECV:${path}`,
      'STDOUT',
    ])
    await heard.says(/starting data transfer loop/)
    return { socket: kind === 'path' ? path : `@${path}`, heard }
  }

  for (const kind of ['path', 'abstract'] as const)
    it(`hears of ready, reload, refused reload and stop, at a socket with ${kind === 'path' ? 'a path' : 'an abstract name'}`, async () => {
      const { socket, heard } = await manager(kind)
      const daemon = await Daemon.start(net, server, { access: OPEN, inside: ['env', `NOTIFY_SOCKET=${socket}`] })
      await heard.says(/^READY=1\nSTATUS=receiving, 1 stanza$/m)

      const { receiver } = (await daemon.ready()) as LogEvent & { readonly receiver: number }
      assert.doesNotMatch(readFileSync(`/proc/${receiver}/environ`, 'latin1'), /NOTIFY_SOCKET/)

      daemon.configure({ access: `${OPEN}\n${OPEN}` })
      daemon.reload()
      await heard.says(/^RELOADING=1\n[\s\S]*READY=1\nSTATUS=receiving, 2 stanzas$/m)

      daemon.configure({ access: DAMAGED })
      daemon.reload()
      await heard.says(/^RELOADING=1\n[\s\S]*READY=1\nSTATUS=receiving, 2 stanzas; .*CONFIG_UNKNOWN_KEY.*$/m)

      await daemon.stop()
      await heard.says(/^STOPPING=1$/m)
    })

  it('hears why a start failed, and never that it is ready', async () => {
    const { socket, heard } = await manager('path')
    const folder = net.directory()
    writeFileSync(join(folder, 'fwknopd.conf'), '', { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), DAMAGED, { mode: 0o600 })
    const argv = ghostportCommand('serve', '-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf'))
    const { status } = server.run(argv, { env: { NOTIFY_SOCKET: socket } })
    assert.equal(status, 78)
    await heard.says(/^STATUS=.*access\.conf:5: .*OPEN_PORTS.*\[CONFIG_UNKNOWN_KEY\]$/m)
    assert.doesNotMatch(heard.output, /READY/)
  })

  it('hears that nothing is received when the receiver is gone, and of the next one', async () => {
    const { socket, heard } = await manager('path')
    const daemon = await Daemon.start(net, server, { access: OPEN, inside: ['env', `NOTIFY_SOCKET=${socket}`] })
    const { receiver } = (await daemon.ready()) as LogEvent & { readonly receiver: number }
    process.kill(receiver, 'SIGKILL')
    await heard.says(/^STATUS=not receiving: .*$[\s\S]*^READY=1$/m)
    await daemon.stop()
  })

  /** A server under a manager that waits for so long. `pings` counts what it has heard. */
  async function watched(milliseconds: number) {
    const { socket, heard } = await manager('path')
    const time = `WATCHDOG_USEC=${milliseconds * 1000}`
    const daemon = await Daemon.start(net, server, { access: OPEN, inside: ['env', `NOTIFY_SOCKET=${socket}`, time] })
    const { receiver } = (await daemon.ready()) as LogEvent & { readonly receiver: number }
    await heard.says(/^WATCHDOG=1$/m)
    const pings = (): number => heard.output.match(/^WATCHDOG=1$/gm)?.length ?? 0
    /** How many it hears in this time. */
    const during = async (time: number): Promise<number> => {
      const before = pings()
      await delay(time)
      return pings() - before
    }
    return { daemon, receiver, heard, during }
  }

  it('hears that the server is alive while packets are received, and no other process says so', async () => {
    const { daemon, receiver, heard, during } = await watched(600)
    assert.doesNotMatch(readFileSync(`/proc/${receiver}/environ`, 'latin1'), /WATCHDOG/)
    const many = await during(3000)
    assert.ok(many >= 8 && many <= 16, `${many}`)
    // A receiver that hangs, until it is replaced after ten seconds.
    process.kill(receiver, 'SIGSTOP')
    await delay(6000)
    assert.equal(await during(2500), 0)
    await daemon.until(({ event }) => event === 'not well')
    await heard.says(/^STATUS=not receiving: .*$[\s\S]*^READY=1$/m)
    assert.ok((await during(1500)) > 0)
    // A server whose loop is blocked.
    process.kill(daemon.pid, 'SIGSTOP')
    assert.equal(await during(1500), 0)
    process.kill(daemon.pid, 'SIGCONT')
    await delay(1000)
    assert.ok((await during(1500)) > 0)
    await daemon.stop()
  })

  it('does not hear it while the table is gone and cannot be restored, and hears it again after that', async () => {
    const { daemon, during } = await watched(600)
    // This nft(8) stays open and owns the table of that name. Nobody else may touch it. It goes when nft ends. In one
    // line, which is one transaction: between two, the server would restore its table.
    const owner = server.start(['nft', '-i'])
    owner.child.stdin.write('delete table inet ghostport; add table inet ghostport { flags owner; }\n')
    const failed = await daemon.until(({ event }) => event === 'firewall not mended')
    assert.match(String(failed['detail']), /no other program owns/)
    await delay(1000)
    assert.equal(await during(2000), 0)
    await owner.stop()
    await daemon.until(({ event }) => event === 'firewall mended')
    await delay(500)
    assert.ok((await during(1500)) > 0)
    await daemon.stop()
  })

  it('goes on hearing it while a large configuration is read, and while the machine is busy', {
    timeout: 500_000,
  }, async () => {
    const { daemon, heard, during } = await watched(6000)
    const keys = (i: number): string => {
      const key = (length: number) => Buffer.alloc(length, `${i}`).toString('base64')
      return `SOURCE ANY\nKEY_BASE64 ${key(32)}\nHMAC_KEY_BASE64 ${key(64)}\nOPEN_PORTS tcp/22\n\n`
    }
    const busy = Array.from({ length: 4 }, () => server.start(['sh', '-c', 'while :; do :; done']))
    daemon.configure({ access: Array.from({ length: 10_000 }, (_, i) => keys(i)).join('') })
    daemon.reload()
    let longest = 0
    let isOver = false
    const listening = (async () => {
      for (let last = performance.now(); !isOver; longest = Math.max(longest, performance.now() - last))
        if ((await during(100)) > 0) last = performance.now()
    })()
    await heard.says(/^STATUS=receiving, 10000 stanzas$/m, 60_000)
    await delay(7000)
    isOver = true
    await listening
    for (const one of busy) await one.stop('SIGKILL')
    await daemon.stop()
    assert.ok(!daemon.events.some(({ event }) => event === 'not well'), JSON.stringify(daemon.events.slice(-5)))
    // The unit waits for 60 s.
    assert.ok(longest < 50_000, `${Math.round(longest)} ms`)
  })

  /** Like systemd for a stream of the journal; then it becomes the server. */
  const asJournal = (descriptor: 1 | 2): readonly string[] => [
    ...['sh', '-c', `export JOURNAL_STREAM="$(stat -Lc %d:%i /proc/$$/fd/${descriptor})"; exec "$@"`, 'sh'],
  ]

  it('reads the priority of each line where the journal reads the stream, and of no line elsewhere', async () => {
    const folder = net.directory()
    const places = `CONTROL_SOCKET ${join(folder, 'state/s.sock')};\nREPLAY_DB ${join(folder, 'state/replay.db')};\n`
    writeFileSync(join(folder, 'fwknopd.conf'), places, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), DAMAGED, { mode: 0o600 })
    const serve = ghostportCommand('serve', '-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf'))
    assert.match(server.run([...asJournal(2), ...serve]).stderr, /^<3>ghostport: .*CONFIG_UNKNOWN_KEY/)
    assert.match(server.run([...asJournal(1), ...serve]).stderr, /^ghostport: /)

    writeFileSync(join(folder, 'access.conf'), OPEN, { mode: 0o600 })
    const program = server.start([...asJournal(1), ...serve])
    const [, receiver] = await program.says(/^<6>\{"time".*"event":"ready".*"receiver":(\d+)/m)
    process.kill(Number(receiver), 'SIGKILL')
    await program.says(/^<3>\{"time".*"event":"receiver lost"/m)
    await program.stop()
  })
})
