/** One real etcd on loopback, without TLS and logins; and something before it that answers as an attacker likes. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Port, port } from '../../src/units.ts'
import { freePort } from './secured-etcd.ts'

export class PlainEtcd implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ghostport-etcd-'))
  readonly port: Port
  readonly #peer: Port
  readonly #more: readonly string[]
  #child: ChildProcess | undefined

  /** @param more arguments of etcd. */
  static async start(...more: readonly string[]): Promise<PlainEtcd> {
    const etcd = new PlainEtcd(await freePort(), await freePort(), more)
    await etcd.begin()
    return etcd
  }

  private constructor(own: Port, peer: Port, more: readonly string[]) {
    this.port = own
    this.#peer = peer
    this.#more = more
  }

  async begin(): Promise<void> {
    const [own, peer] = [this.port, this.#peer].map((one) => `http://127.0.0.1:${one}`)
    const args = [
      ...['--name', 'm1', '--data-dir', join(this.folder, 'data'), '--logger', 'zap', '--log-level', 'error'],
      ...['--listen-client-urls', `${own}`, '--advertise-client-urls', `${own}`],
      ...['--listen-peer-urls', `${peer}`, '--initial-advertise-peer-urls', `${peer}`],
      ...['--initial-cluster', `m1=${peer}`, ...this.#more],
    ]
    this.#child = spawn('etcd', args, { stdio: 'ignore' })
    for (let i = 0; i < 300; i++) {
      if (this.#run(['get', 'nothing']).status === 0) return
      await delay(100)
    }
    assert.fail('etcd does not start')
  }

  /** @returns its output. */
  etcdctl(words: readonly string[], input = ''): string {
    const { status, stdout, stderr } = this.#run(words, input)
    assert.equal(status, 0, `${words.join(' ')}: ${stderr}`)
    return stdout
  }

  keys(prefix: string): readonly string[] {
    return this.etcdctl(['get', '--prefix', prefix, '--keys-only'])
      .split(/\s+/)
      .filter((key) => key !== '')
  }

  /** Writes until etcd takes no more. */
  fill(): void {
    for (let i = 0; i < 100; i++) if (this.#run(['put', `filler/${i}`], 'x'.repeat(1_000_000)).status !== 0) return
    assert.fail('etcd has no quota')
  }

  /** As docs/CLUSTER.md says. */
  makeRoom(): void {
    this.etcdctl(['del', '--prefix', 'filler/'])
    const [one] = JSON.parse(this.etcdctl(['endpoint', 'status', '-w', 'json']))
    this.etcdctl(['compact', `${one.Status.header.revision}`])
    this.etcdctl(['defrag'])
    this.etcdctl(['alarm', 'disarm'])
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  #run(words: readonly string[], input = '') {
    const args = ['--endpoints', `http://127.0.0.1:${this.port}`, '--command-timeout', '5s', ...words]
    return spawnSync('etcdctl', args, {
      env: { ...process.env, ETCDCTL_API: '3' },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      input,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true })
  }
}

/** @param text an answer, or one line of a watch. @returns what is told instead; undefined: nothing. */
export type Twist = (path: string, text: string) => string | undefined

/** In front of etcd. */
export class HostileEtcd implements Disposable {
  twist: Twist = (_, text) => text
  readonly #server: Server

  static async before(real: Port): Promise<HostileEtcd> {
    const hostile = new HostileEtcd(real)
    await new Promise<void>((resolve) => hostile.#server.listen(0, '127.0.0.1', resolve))
    return hostile
  }

  private constructor(real: Port) {
    this.#server = createServer((asked, answer) => {
      const path = asked.url ?? ''
      const body: Buffer[] = []
      asked.on('data', (part: Buffer) => body.push(part))
      asked.on('end', () => {
        const sent = Buffer.concat(body)
        const headers = { 'content-type': 'application/json', 'content-length': sent.length }
        const up = request({ host: '127.0.0.1', port: real, path, method: 'POST', headers }, (from) => {
          answer.on('close', () => from.destroy())
          answer.writeHead(from.statusCode ?? 500, { 'content-type': 'application/json' })
          answer.flushHeaders()
          let text = ''
          from.setEncoding('utf8')
          from.on('error', () => answer.destroy())
          from.on('data', (part: string) => {
            text += part
            if (path !== '/v3/watch') return
            const lines = text.split('\n')
            text = lines.pop() ?? ''
            for (const line of lines) this.#tell(answer, path, line, '\n')
          })
          from.on('end', () => {
            this.#tell(answer, path, text, '')
            answer.end()
          })
        })
        up.on('error', () => answer.destroy())
        up.end(sent)
      })
    })
  }

  get port(): Port {
    return port((this.#server.address() as AddressInfo).port)
  }

  /** Ends all connections. Clients must connect again. */
  cut(): void {
    this.#server.closeAllConnections()
  }

  #tell(answer: { write(text: string): unknown }, path: string, text: string, end: string): void {
    const told = this.twist(path, text)
    if (told !== undefined) answer.write(`${told}${end}`)
  }

  [Symbol.dispose](): void {
    this.#server.close()
    this.cut()
  }
}
