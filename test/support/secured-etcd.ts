/** One real etcd on loopback, with TLS and users, as docs/CLUSTER.md wants it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Port, port } from '../../src/units.ts'
import type { Host } from './netns.ts'
import { type Authority, type Certificate, makeAuthority } from './tls-certificate.ts'

export const ROOT = { user: 'root', password: 'of the administrator' } as const

export class SecuredEtcd implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ghostport-etcd-'))
  readonly authority: Authority
  readonly clientPort: Port
  readonly #peerPort: Port
  readonly #more: readonly string[]
  readonly #host: Host | undefined
  #child: ChildProcess | undefined

  /** @param more arguments of etcd. @param host where it runs; absent: here. */
  static async start(more: readonly string[] = [], host?: Host): Promise<SecuredEtcd> {
    const etcd = new SecuredEtcd(await freePort(), await freePort(), more, host)
    etcd.show(etcd.authority.issue(['IP:127.0.0.1', 'DNS:localhost']))
    writeFileSync(etcd.caFile, etcd.authority.cert)
    await etcd.begin()
    return etcd
  }

  /** One that signed nothing of this etcd. */
  static otherAuthority(): Authority {
    return makeAuthority('another authority')
  }

  private constructor(clientPort: Port, peerPort: Port, more: readonly string[], host: Host | undefined) {
    this.#host = host
    this.authority = makeAuthority('authority of etcd')
    this.clientPort = clientPort
    this.#peerPort = peerPort
    this.#more = more
  }

  get caFile(): string {
    return join(this.folder, 'ca.pem')
  }

  /** `127.0.0.1:PORT`. */
  get at(): string {
    return `127.0.0.1:${this.clientPort}`
  }

  /** What it shows from now on: etcd reads its files for each connection. */
  show({ cert, key }: Certificate): void {
    writeFileSync(join(this.folder, 'server.pem'), cert)
    writeFileSync(join(this.folder, 'server.key'), key, { mode: 0o600 })
  }

  /** @param demands that each client shows a certificate of {@link authority}: `--client-cert-auth`. */
  async begin(demands = false): Promise<void> {
    const at = (scheme: string, one: number): string => `${scheme}://127.0.0.1:${one}`
    const argv = [
      ...['etcd', '--name', 'm1', '--data-dir', join(this.folder, 'data'), '--logger', 'zap', '--log-level', 'error'],
      ...['--listen-client-urls', at('https', this.clientPort)],
      ...['--advertise-client-urls', at('https', this.clientPort)],
      ...['--listen-peer-urls', at('http', this.#peerPort)],
      ...['--initial-advertise-peer-urls', at('http', this.#peerPort)],
      ...['--initial-cluster', `m1=${at('http', this.#peerPort)}`, '--enable-grpc-gateway=false'],
      ...['--cert-file', join(this.folder, 'server.pem'), '--key-file', join(this.folder, 'server.key')],
      // Else each login takes a tenth of a second.
      ...['--bcrypt-cost', '4', ...this.#more],
      ...(demands ? ['--client-cert-auth', '--trusted-ca-file', this.caFile] : []),
    ]
    const [file = '', ...args] = this.#host?.command(argv) ?? argv
    this.#child = spawn(file, args, { stdio: 'ignore' })
    for (let i = 0; i < 300; i++) {
      const { stderr } = this.#run(['get', 'nothing'])
      // Without a login, it may be refused; then etcd runs.
      if (stderr === '' || /user name is empty|permission denied/.test(stderr)) return
      await delay(100)
    }
    assert.fail('etcd does not start')
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** The administrator’s user, and logins from now on. */
  async enableLogins(): Promise<void> {
    this.etcdctl(['user', 'add', `${ROOT.user}:${ROOT.password}`], false)
    this.etcdctl(['user', 'grant-role', ROOT.user, 'root'], false)
    this.etcdctl(['auth', 'enable'], false)
  }

  /** As the administrator. @returns its output. */
  etcdctl(words: readonly string[], hasLogin = true, input = ''): string {
    const login = hasLogin ? ['--user', `${ROOT.user}:${ROOT.password}`] : []
    const { status, stdout, stderr } = this.#run([...login, ...words], input)
    assert.equal(status, 0, `${words.join(' ')}: ${stderr}`)
    return stdout
  }

  #run(words: readonly string[], input = '') {
    const own = ['--cert', join(this.folder, 'server.pem'), '--key', join(this.folder, 'server.key')]
    const common = ['--endpoints', `https://${this.at}`, '--cacert', this.caFile, '--insecure-skip-tls-verify', ...own]
    const argv = ['etcdctl', ...common, ...words]
    const [file = '', ...args] = this.#host?.command(argv) ?? argv
    return spawnSync(file, args, {
      env: { ...process.env, ETCDCTL_API: '3' },
      encoding: 'utf8',
      input,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true })
  }
}

export async function freePort(): Promise<Port> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  await new Promise((resolve) => server.close(resolve))
  return port(address.port)
}
