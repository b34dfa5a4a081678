/** A server whose receiver runs in a unit of its own: started by a socket, and never a child of the warden. */
import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parsePrivileges } from '../../src/system/privilege.ts'
import { clientAndServer, Daemon, ghostportCommand, knock, type LogEvent, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { type ReceiverService, receiverService, SERVICE_UID } from '../support/receiver-service.ts'

const ACCESS = stanza(['OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 3'])

describe('a receiver that a service manager starts', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
  })
  after(() => net?.close())

  /** A server, and what systemd does for it. */
  async function start(
    argvFor?: (n: number) => readonly string[],
    { asRoot = false, lines = [] as string[] } = {},
  ): Promise<{ daemon: Daemon; service: ReceiverService; path: string } & AsyncDisposable> {
    const path = join(net.directory(), 'receiver.sock')
    const service = receiverService(path, argvFor, asRoot)
    const daemon = await Daemon.start(net, server, {
      access: ACCESS,
      server: lines,
      argv: ['--receiver-socket', path],
    })
    return {
      ...{ daemon, service, path },
      [Symbol.asyncDispose]: async () => {
        await daemon.stop()
        service.close()
      },
    }
  }
  const receiverOf = ({ events }: Daemon): number =>
    Number((events.findLast(({ event }) => event === 'ready') as LogEvent & { receiver: number }).receiver)

  it('opens for a knock, has no privilege, and is no child of the warden', async () => {
    await using it = await start()
    const { daemon, service } = it
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 300 }), 'timeout')
    knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1')
    await daemon.until(({ verdict }) => verdict === 'granted')
    assert.equal(await client.tcp(SERVER, 22), 'ssh')

    const receiver = receiverOf(daemon)
    assert.equal(receiver, service.started[0]?.pid)
    assert.equal(daemon.status()['receiver'], receiver)
    const status = readFileSync(`/proc/${receiver}/status`, 'utf8')
    const { uid, groups, permitted, bounding, noNewPrivileges } = parsePrivileges(status)
    assert.deepEqual([uid, groups, permitted, bounding, noNewPrivileges], [SERVICE_UID, [], 0n, 0n, true])
    assert.match(status, new RegExp(`^PPid:\\t${process.pid}$`, 'm'))
    assert.match(status, /^Seccomp:\t2$/m)
    const held = readdirSync(`/proc/${receiver}/fd`).map((fd) => readlinkSync(`/proc/${receiver}/fd/${fd}`))
    assert.ok(!held.some((what) => what.startsWith('/') && what !== '/dev/null'), held.join())
    // Its memory belongs to root.
    assert.equal(statSync(`/proc/${receiver}/mem`).uid, 0)
    assert.doesNotMatch(daemon.program.output, /cannot be confined/)
    assert.equal(service.errors, '')
  })

  for (const lines of [['CAPTURE udp'], ['CAPTURE packet, tcp']])
    it(`gets its sockets with ${lines.join()}, and a reload`, async () => {
      await using it = await start(undefined, { lines })
      it.daemon.configure({
        server: lines,
        access: ACCESS + stanza(['OPEN_PORTS tcp/23'], { key: 'two', hmac: 'too' }),
      })
      it.daemon.reload()
      await it.daemon.until(({ event }) => event === 'reload')
      const more = lines.join().includes('tcp') ? ['-P', 'tcp'] : []
      if (lines[0] === 'CAPTURE udp')
        server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'udp', 'dport', '62201', 'accept'])
      else server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '62201', 'accept'])
      knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1', ...more)
      await it.daemon.until(({ verdict }) => verdict === 'granted')
    })

  it('is replaced when it is killed, and when it hangs', async () => {
    await using it = await start()
    const first = receiverOf(it.daemon)
    process.kill(first, 'SIGKILL')
    await it.daemon.until(({ event, receiver }) => event === 'ready' && receiver !== first)
    const second = receiverOf(it.daemon)
    process.kill(second, 'SIGSTOP')
    await it.daemon.until(({ event }) => event === 'receiver hangs', 0, 30_000)
    await it.daemon.until(({ event, receiver }) => event === 'ready' && receiver !== first && receiver !== second)
    assert.deepEqual(
      it.service.started.map(({ signalCode }) => signalCode),
      ['SIGKILL', 'SIGKILL', null],
    )
    knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1')
    await it.daemon.until(({ verdict }) => verdict === 'granted')
  })

  it('ends with the warden, also if that is killed', async () => {
    const it = await start()
    const [child] = it.service.started
    await it.daemon.stop('SIGKILL')
    await until(() => child?.exitCode === 69)
    await it.daemon.again()
    assert.equal(it.service.started.length, 2)
    await it[Symbol.asyncDispose]()
    await until(() => it.service.started[1]?.exitCode !== null || it.service.started[1]?.signalCode !== null)
  })

  it('serves root alone: others cannot connect, and if they could they get nothing', async () => {
    const path = join(net.directory(), 'receiver.sock')
    const service = receiverService(path)
    const connect = `require('net').connect('${path}').on('error', (e) => console.log(e.code)).on('close', () => console.log('closed')).on('data', (d) => console.log(String(d)))`
    const asUser = ['setpriv', '--reuid=60951', '--regid=60951', '--clear-groups', process.execPath, '-e', connect]
    chmodSync(join(path, '..'), 0o755)
    await server.start(asUser).says(/EACCES/)
    assert.equal(service.started.length, 0)
    chmodSync(path, 0o666)
    await server.start(asUser).says(/user 60951 connected, and only root may.*closed/s)
    await until(() => service.started[0]?.exitCode === 69)
    service.close()
  })

  it('is not taken by the warden if it runs as root', async () => {
    const path = join(net.directory(), 'receiver.sock')
    // Else it would say so itself.
    const liar = `const s = new (require('net').Socket)({ fd: 3 }); s.write('{"type":"started"}\\n'); s.resume()`
    const service = receiverService(path, () => [process.execPath, '-e', liar], true)
    const folder = net.directory()
    const places = `CONTROL_SOCKET ${join(folder, 's.sock')};\nREPLAY_DB ${join(folder, 'replay.db')};\n`
    writeFileSync(join(folder, 'fwknopd.conf'), places, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), ACCESS, { mode: 0o600 })
    const files = ['-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf')]
    const program = server.start(ghostportCommand('serve', ...files, '--receiver-socket', path))
    await program.says(/"event":"receiver lost".*it runs as root: print its unit again/)
    await program.stop()
    service.close()
  })

  it('is not tried again if it says, before it has read a packet, what cannot heal', async () => {
    const path = join(net.directory(), 'receiver.sock')
    const hopeless = `require('fs').writeSync(3, '{"type":"failed","code":"PRIVILEGE_EXCESSIVE","detail":"it has too much"}\\n'); process.exit(77)`
    const service = receiverService(path, () => [process.execPath, '-e', hopeless])
    const folder = net.directory()
    const places = `CONTROL_SOCKET ${join(folder, 's.sock')};\nREPLAY_DB ${join(folder, 'replay.db')};\n`
    writeFileSync(join(folder, 'fwknopd.conf'), places, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), ACCESS, { mode: 0o600 })
    const files = ['-c', join(folder, 'fwknopd.conf'), '-a', join(folder, 'access.conf')]
    const program = server.start(ghostportCommand('serve', ...files, '--receiver-socket', path))
    await program.says(/it has too much.*\[PRIVILEGE_EXCESSIVE\]/)
    await program.ended
    assert.equal(program.child.exitCode, 77)
    assert.equal(service.started.length, 1)

    // The check before a reload may do as little as the server itself.
    const asTheUnit = ['setpriv', '--bounding-set=-all,+net_admin,+net_raw,+kill', '--no-new-privs', '--']
    const check = [...asTheUnit, ...ghostportCommand('serve', '--exit-parse-config', ...files)] as const
    assert.match(server.run([...check, '--receiver-socket', path]).stdout, /^The configuration is good: 1 stanza\.$/m)
    assert.match(server.run(check).stderr, /lacks CAP_SETUID or CAP_SETGID/)
    service.close()
  })

  it('is started by the warden itself where there is no such socket', async () => {
    const missing = join(net.directory(), 'receiver.sock')
    const daemon = await Daemon.start(net, server, { access: ACCESS, argv: ['--receiver-socket', missing] })
    assert.match(readFileSync(`/proc/${receiverOf(daemon)}/status`, 'utf8'), new RegExp(`^PPid:\\t${daemon.pid}$`, 'm'))
    await daemon.stop()
    const { status, stderr } = server.run(ghostportCommand('serve', '--receiver-socket', 'a.sock'))
    assert.equal(status, 64)
    assert.match(stderr, /--receiver-socket: a\.sock: needs a path from the root/)
  })
})

async function until(isSo: () => boolean, deadlineMs = 10_000): Promise<void> {
  for (const deadline = performance.now() + deadlineMs; !isSo(); await delay(10))
    assert.ok(performance.now() < deadline, `not after ${deadlineMs} ms`)
}
