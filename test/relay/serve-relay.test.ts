/**
 * `ghostport serve` without a kernel firewall. A real knock over loopback opens a ghost service through the relay for
 * one source address, while another gets the decoy on the same port. No privilege is needed; as root, the server is
 * also started as nobody.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { treeFor } from '../support/copied-tree.ts'
import { copiedGhostport, ghostportCommand, keys, stanza } from '../support/daemon.ts'
import { writeRelayConfiguration } from '../support/relay-configuration.ts'

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const tree = treeFor({ uid: isRoot ? NOBODY : (process.getuid?.() ?? NOBODY), gid: NOBODY })
after(() => tree[Symbol.dispose]())
const users = [
  { who: 'this user', as: [] as readonly string[] },
  ...(isRoot
    ? [{ who: 'nobody', as: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'] }]
    : []),
]

for (const { who, as } of users)
  describe(`ghostport serve with the relay, as ${who}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'ghostport-relay-'))
    const servers: Server[] = []
    let daemon: ChildProcess | undefined
    let log = ''
    after(async () => {
      for (const server of servers) server.close()
      if (daemon !== undefined && daemon.exitCode === null) {
        daemon.kill('SIGTERM')
        await once(daemon, 'exit')
      }
      rmSync(directory, { recursive: true, force: true })
    })

    const greeter = async (banner: string): Promise<number> => {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.write(banner)
        socket.on('data', (data) => socket.write(data))
      })
      servers.push(server)
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      return (server.address() as AddressInfo).port
    }
    const greeting = (from: string, port: number): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect({ host: '127.0.0.1', port, localAddress: from })
        socket.once('data', (data) => {
          resolve(data.toString())
          socket.destroy()
        })
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
      })
    const until = async (wanted: string, from: string, port: number): Promise<void> => {
      const deadline = performance.now() + 20_000
      for (let got = ''; got !== wanted; got = await greeting(from, port)) {
        assert.ok(performance.now() < deadline, `${got}, not ${wanted}\n${log}`)
        await delay(10)
      }
    }

    it('ssh for the one who knocked, the web server for the other, at once, and for both when the time is over', async () => {
      const [ssh, web] = [await greeter('ssh'), await greeter('web')]
      const free = await greeter('')
      const [publicPort, spaPort] = [free, free]
      await new Promise((done) => servers.pop()?.close(done))
      const settings = [`RELAY ${publicPort} decoy=127.0.0.1:${web}`, `SPA_PORTS ${spaPort}`, 'ENABLE_IPT_LOCAL_NAT Y']
      const access = stanza(['FW_ACCESS_TIMEOUT 2', `NAT_TARGETS local:${ssh}`])
      const files = writeRelayConfiguration(directory, settings, access, as.length > 0 ? NOBODY : undefined)
      const [program, ...argv] = [...as, ...copiedGhostport(tree, 'serve', ...files)]
      daemon = spawn(program ?? '', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of [daemon.stdout, daemon.stderr])
        stream?.setEncoding('utf8').on('data', (text) => (log += text))
      const deadline = performance.now() + 20_000
      while (!log.includes('"event":"ready"')) {
        assert.ok(performance.now() < deadline && daemon.exitCode === null, log)
        await delay(10)
      }

      assert.equal(await greeting('127.0.0.1', publicPort), 'web')
      const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
      const request = ['-A', `tcp/${ssh}`, '--nat-local', '--nat-port', String(publicPort), '-s']
      const [node, ...words] = ghostportCommand(
        ...['knock', '--no-rc-file', '-D', '127.0.0.1', '-p', String(spaPort), ...secrets, ...request],
      )
      const knocked = spawnSync(node ?? '', words, { encoding: 'utf8' })
      assert.equal(knocked.status, 0, knocked.stderr)
      await until('ssh', '127.0.0.1', publicPort)
      assert.equal(await greeting('127.0.0.2', publicPort), 'web')

      const session = connect({ host: '127.0.0.1', port: publicPort, localAddress: '127.0.0.1' })
      assert.equal(String((await once(session, 'data'))[0]), 'ssh')
      await until('web', '127.0.0.1', publicPort)
      session.write('still here')
      assert.equal(String((await once(session, 'data'))[0]), 'still here')
      session.destroy()
    })
  })
