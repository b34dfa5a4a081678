/** One real etcd on loopback, without TLS and logins; and something before it that answers as an attacker likes. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Http2Server, type Http2Session, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeMessage, encodeMessage, type Fields } from '../../src/etcd/message-type.ts'
import { type EtcdMethod, METHODS } from '../../src/etcd/messages.ts'
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
      // What is asked here is asked by its own API.
      ...['--initial-cluster', `m1=${peer}`, '--enable-grpc-gateway=false', ...this.#more],
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

/**
 * @param text an answer, or one message of a watch, as JSON. @returns what is told instead: JSON, or what is none as it
 *   is; undefined: nothing.
 */
export type Twist = (path: string, text: string) => string | Uint8Array | undefined

/** In front of etcd. */
export class HostileEtcd implements Disposable {
  twist: Twist = (_, text) => text
  readonly #server: Http2Server
  readonly #sessions = new Set<Http2Session>()

  static async before(real: Port): Promise<HostileEtcd> {
    const hostile = new HostileEtcd(real)
    await new Promise<void>((resolve) => hostile.#server.listen(0, '127.0.0.1', resolve))
    return hostile
  }

  private constructor(real: Port) {
    this.#server = createServer()
    this.#server.on('session', (session) => {
      const up = connect(`http://127.0.0.1:${real}`)
      for (const one of [session, up]) {
        this.#sessions.add(one)
        one
          .on('error', () => {})
          .on('close', () => {
            this.#sessions.delete(one)
            session.destroy()
            up.destroy()
          })
      }
      session.on('stream', (stream, { ':path': path = '' }) => {
        const method = path.replace('/etcdserverpb.', '') as EtcdMethod
        const asked = up.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
        })
        let [held, trailers]: [Buffer, IncomingHttpHeaders] = [Buffer.alloc(0), {}]
        stream.on('error', () => asked.destroy()).on('close', () => asked.destroy())
        asked.on('error', () => stream.destroy())
        stream.pipe(asked)
        asked.on('response', (head) => {
          if (head['grpc-status'] === undefined) {
            stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
            stream.on('wantTrailers', () => stream.sendTrailers(trailers))
          } else stream.respond(ownFields(head), { endStream: true })
        })
        asked.on('trailers', (fields) => {
          trailers = ownFields(fields)
        })
        asked.on('data', (part: Buffer) => {
          held = Buffer.concat([held, part])
          while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
            const end = 5 + held.readUInt32BE(1)
            const value = decodeMessage(METHODS[method].response, held.subarray(5, end))
            held = held.subarray(end)
            const told = this.twist(method, JSON.stringify(value))
            if (told !== undefined && !stream.destroyed) stream.write(framed(encoded(method, told)))
          }
        })
        asked.on('end', () => stream.end())
      })
    })
  }

  get port(): Port {
    return port((this.#server.address() as AddressInfo).port)
  }

  /** Ends all connections. Clients must connect again. */
  cut(): void {
    for (const session of this.#sessions) session.destroy()
  }

  [Symbol.dispose](): void {
    this.#server.close()
    this.cut()
  }
}

/** @param told JSON; anything else is told as it is. */
function encoded(method: EtcdMethod, told: string | Uint8Array): Uint8Array {
  if (typeof told !== 'string') return told
  let value: Fields
  try {
    value = JSON.parse(told)
  } catch {
    return Buffer.from(told)
  }
  return encodeMessage(METHODS[method].response, value)
}

/** As gRPC sends it. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** What is to be sent on: without what the other end makes by itself. */
function ownFields(fields: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name.startsWith('grpc-') || name === ':status'))
}
