/**
 * A certificate is renewed while the gateway or the console runs, as a process that may not read the key, under open
 * connections. And a second one on the same folder does not start.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { type KeyAndCertificate, makeSelfSigned } from '../../src/http-server/self-signed.ts'
import type { UnixSeconds } from '../../src/units.ts'
import { freePort } from '../contract/delivery.ts'
import { ghostportCommand } from './daemon.ts'

const DAY = 86_400
const now = Math.floor(Date.now() / 1000)
const made = (at = now, serial = 1): KeyAndCertificate =>
  makeSelfSigned(['gate.example'], at as UnixSeconds, Buffer.alloc(16, serial))

export interface Renewed {
  readonly command: 'gateway' | 'console'
  /** Besides those of each HTTP server. */
  readonly settings: readonly string[]
  readonly path: string
  /** The first line of the answer. */
  readonly answers: string
}

export function describeRenewal(given: Renewed): void {
  let folder: string
  let port: number
  let server: ChildProcess
  const lines: string[] = []
  const file = (name: string): string => join(folder, name)

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ghostport-renewal-'))
    // The server becomes another user, who must get to its state folder.
    chmodSync(folder, 0o755)
    port = await freePort()
    install(made())
    const settings = [
      `LISTEN https://127.0.0.1:${port}`,
      'HOST gate.example',
      `CERTIFICATE_FILE ${file('cert.pem')}`,
      `CERTIFICATE_KEY_FILE ${file('key.pem')}`,
      `STATE_FOLDER ${file('state')}`,
      'USER nobody',
      ...given.settings,
    ]
    writeFileSync(file('server.conf'), `${settings.join('\n')}\n`)
    const [program = '', ...words] = ghostportCommand(given.command, '--config', file('server.conf'))
    server = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    assert.ok(server.stdout)
    createInterface(server.stdout).on('line', (line) => lines.push(line))
    await says(/"ready"/)
  })
  after(async () => {
    if (server?.exitCode === null) {
      server.kill()
      await once(server, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })

  function install({ key, cert }: KeyAndCertificate): void {
    writeFileSync(file('key.pem'), key, { mode: 0o600 })
    writeFileSync(file('cert.pem'), cert)
  }

  async function says(expected: RegExp): Promise<string> {
    for (let tries = 0; tries < 500; tries++) {
      const found = lines.find((line) => expected.test(line))
      if (found !== undefined) return found
      await delay(20)
    }
    return assert.fail(`no line ${expected}:\n${lines.join('\n')}`)
  }

  /** Visitors are served meanwhile. */
  function renew(): Promise<Ended> {
    const [program = '', ...words] = ghostportCommand(given.command, '--config', file('server.conf'), 'renew')
    return ended(program, words)
  }

  interface Ended {
    readonly status: number
    readonly stdout: string
    readonly stderr: string
  }

  function ended(program: string, words: readonly string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(program, words, { timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
    })
  }

  async function visit(session?: Buffer): Promise<TLSSocket> {
    const more = session === undefined ? {} : { session }
    const socket = connect({ port, host: '127.0.0.1', servername: 'gate.example', rejectUnauthorized: false, ...more })
    await once(socket, 'secureConnect')
    return socket
  }

  /** Over a connection that is open. */
  async function ask(socket: TLSSocket): Promise<string> {
    socket.write(`GET ${given.path} HTTP/1.1\r\nhost: gate.example\r\n\r\n`)
    const [bytes] = await once(socket, 'data')
    return `${bytes}`.split('\r\n', 1)[0] ?? ''
  }

  async function shown(session?: Buffer): Promise<string> {
    const socket = await visit(session)
    const { fingerprint256 } = socket.getPeerCertificate()
    assert.equal(socket.isSessionReused(), false)
    socket.destroy()
    return fingerprint256
  }

  it('open connections go on, and new ones get the new certificate', async () => {
    const old = await shown()
    const open = await visit()
    const sessions: Buffer[] = []
    open.on('session', (session) => sessions.push(session))
    assert.equal(await ask(open), given.answers)
    // Visitors come and go all the while.
    const answers: string[] = []
    let goesOn = true
    const visitors = (async () => {
      while (goesOn) {
        const socket = await visit()
        answers.push(await ask(socket))
        socket.destroy()
        await delay(20)
      }
    })()
    if (process.geteuid?.() === 0)
      assert.doesNotMatch(
        readFileSync(`/proc/${server.pid}/status`, 'utf8'),
        /^Uid:.*\b0\b/m,
        'it may not read the key',
      )
    install(made(now, 2))
    assert.equal(await shown(), old, 'nothing changes by itself')
    const renewed = await renew()
    assert.equal(renewed.status, 0, renewed.stderr)
    const fresh = await shown(sessions[0])
    assert.notEqual(fresh, old)
    assert.ok(
      renewed.stdout.startsWith(`The ${given.command} uses the certificate ${fresh}, valid until 20`),
      renewed.stdout,
    )
    assert.equal(open.getPeerCertificate().fingerprint256, old)
    assert.equal(await ask(open), given.answers)
    open.destroy()
    goesOn = false
    await visitors
    assert.ok(answers.length > 3 && answers.every((it) => it === given.answers), answers.join())
    assert.match(await says(/"event":"certificate"/), new RegExp(fresh))
  })

  it('a pair that is not good changes nothing, and is told', async () => {
    const before = await shown()
    const cases: readonly (readonly [KeyAndCertificate, RegExp])[] = [
      [{ ...made(now, 3), key: made(now, 4).key }, /key\.pem: the key is not that of the certificate/],
      [{ ...made(now, 3), cert: 'half written' }, /there is no certificate in PEM form/],
      [{ ...made(now, 3), key: '' }, /there is no private key in PEM form/],
      [made(now - 11 * 365 * DAY, 3), /the certificate ended at 20/],
      [made(now + 40 * DAY, 3), /the certificate begins at 20/],
    ]
    for (const [pair, expected] of cases) {
      install(pair)
      const { status, stderr } = await renew()
      assert.notEqual(status, 0)
      assert.match(stderr, expected)
      assert.equal(await shown(), before)
    }
    await says(/"refused":"KEY_INVALID".*the certificate begins at/)
  })

  it('SIGHUP reads the files where the user of the server may, and never ends it', async () => {
    install(made(now, 5))
    const before = await shown()
    server.kill('SIGHUP')
    const isRoot = process.geteuid?.() === 0
    await says(
      isRoot
        ? new RegExp(`"refused":"CONFIG_[A-Z]+".*ghostport ${given.command} renew`)
        : /"event":"certificate".*valid_until/,
    )
    if (isRoot) assert.equal(await shown(), before)
  })

  it('a second one on the same folder does not start, and disturbs nothing', async () => {
    const before = await shown()
    const text = readFileSync(file('server.conf'), 'utf8')
    writeFileSync(file('second.conf'), text.replace(`:${port}`, `:${await freePort()}`))
    const [program = '', ...words] = ghostportCommand(given.command, '--config', file('second.conf'))
    const second = await ended(program, words)
    assert.equal(second.status, 75, second.stderr)
    assert.match(second.stderr, /another process has the folder .*\/state \(STATE_FOLDER\)[\s\S]*INSTANCE_RUNNING/)
    assert.equal(await shown(), before)
  })

  it('where none runs, the command says so', async () => {
    server.kill()
    await once(server, 'exit')
    install(made())
    const { status, stderr } = await renew()
    assert.equal(status, 69)
    assert.match(stderr, /renew\.sock: no server runs there/)
  })
}
