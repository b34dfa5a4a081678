/** `ghostport console` on a test host, beside a server; and what a page asks of it, over its Unix socket. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, ghostportCommand, stanza } from './daemon.ts'
import type { Host, Network, Outcome, Program } from './netns.ts'

export const CONSOLE_HOST = 'console.example'
/** CONSOLE_USER nobody. */
export const NOBODY = 65_534
const ORIGIN = `https://${CONSOLE_HOST}`

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Of JSON; else undefined. */
  readonly json: Record<string, never>
}

export interface Asked {
  readonly token?: string | undefined
  /** A POST with this body; else a GET. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A server that a console may ask, as the user nobody. */
export async function serverForConsole(
  net: Network,
  host: Host,
  lines: readonly string[] = [],
  access = stanza(['NAME alice', 'OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 60', 'MAX_FW_TIMEOUT 120']),
): Promise<{ readonly daemon: Daemon; readonly socket: string }> {
  const folder = net.directory()
  const socket = join(folder, 'console.sock')
  const settings = ['CONSOLE_USER nobody', `CONSOLE_SOCKET ${socket}`, ...lines]
  const daemon = await Daemon.start(net, host, { server: settings, access })
  // The console's user may pass, and look at nothing.
  for (const path of [folder, join(folder, '..')]) chmodSync(path, 0o711)
  return { daemon, socket }
}

export class ConsoleProcess {
  readonly folder: string
  readonly socket: string
  readonly #host: Host
  #program: Program | undefined
  #logins = 0

  /** @param serverSocket CONSOLE_SOCKET of a server with `CONSOLE_USER nobody`. */
  constructor(net: Network, host: Host, serverSocket: string, lines: readonly string[] = []) {
    this.#host = host
    this.folder = net.directory()
    // The console becomes another user, who must get to its own folders.
    chmodSync(this.folder, 0o755)
    mkdirSync(join(this.folder, 'run'), { mode: 0o755 })
    this.socket = join(this.folder, 'run/http.sock')
    const settings = [
      ...[`LISTEN unix:${this.socket}`, `HOST ${CONSOLE_HOST}`, 'USER nobody', 'PROXY unix'],
      ...[`STATE_FOLDER ${join(this.folder, 'state')}`, `CONSOLE_SOCKET ${serverSocket}`, ...lines],
      ...(lines.some((line) => line.startsWith('SERVER_SETTINGS ')) ? [] : [`SERVER_SETTINGS ${this.#noServer()}`]),
    ]
    writeFileSync(join(this.folder, 'console.conf'), `${settings.join('\n')}\n`)
  }

  /** Settings that only say where the audit log is. */
  #noServer(): string {
    const path = join(this.folder, 'fwknopd.conf')
    writeFileSync(path, `AUDIT_LOG ${join(this.folder, 'audit.log')};\n`, { mode: 0o600 })
    return path
  }

  run(...words: readonly string[]): Outcome {
    return this.#host.run(ghostportCommand('console', '--config', join(this.folder, 'console.conf'), ...words))
  }

  async start(): Promise<void> {
    this.#program = this.#host.start(ghostportCommand('console', '--config', join(this.folder, 'console.conf')))
    await this.#program.says(/"event":"ready"/)
  }

  get program(): Program {
    assert.ok(this.#program)
    return this.#program
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#program?.stop(signal)
    this.#program = undefined
  }

  /** The secret of a link. */
  link(name: string, ...words: readonly string[]): string {
    const { status, stdout, stderr } = this.run('login', name, ...words)
    assert.equal(status, 0, stderr)
    const [, secret] = /^https:\/\/console\.example\/#login=([\w-]{22})$/m.exec(stdout) ?? []
    assert.ok(secret !== undefined, stdout)
    return secret
  }

  /** @returns a token of a new account. */
  async loggedIn(name: string, role: string): Promise<string> {
    assert.equal(this.run('account', 'add', name, '--role', role).status, 0)
    return await this.login(name)
  }

  /** From an address of its own: the tries of one are limited. */
  async login(name: string): Promise<string> {
    const headers = { 'x-forwarded-for': `192.0.2.${100 + (this.#logins++ % 100)}` }
    const { status, json, text } = await this.ask('/v1/session', { body: { link: this.link(name) }, headers })
    assert.equal(status, 200, text)
    return json['token'] ?? ''
  }

  ask(path: string, asked: Asked = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = this.#send(path, asked, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          const isJson = response.headers['content-type'] === 'application/json'
          const json = isJson ? JSON.parse(text) : undefined
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
        })
      })
      sent.on('error', reject)
    })
  }

  /** Opens the stream. */
  stream(token: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    return new Promise((resolve, reject) => {
      const sent = this.#send('/v1/stream', { token, headers }, (response) => resolve(new EventStream(response)))
      sent.on('error', reject)
    })
  }

  #send(path: string, { token, body, headers = {} }: Asked, then: (response: IncomingMessage) => void) {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    const sent = httpRequest(
      {
        ...{ socketPath: this.socket, path, method: text === undefined ? 'GET' : 'POST', agent: false },
        headers: {
          host: CONSOLE_HOST,
          origin: ORIGIN,
          'x-forwarded-for': '192.0.2.7',
          'x-forwarded-proto': 'https',
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(text)),
          }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
      },
      then,
    )
    sent.end(text)
    return sent
  }
}

export interface StreamMessage {
  readonly event: string
  readonly data: Record<string, never>
}

/** Server-sent events, as they came. */
export class EventStream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly messages: StreamMessage[] = []
  readonly #response: IncomingMessage
  isEnded = false

  constructor(response: IncomingMessage) {
    this.#response = response
    this.status = response.statusCode ?? 0
    this.headers = response.headers
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        const field = (name: string): string =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
        this.messages.push({ event: field('event'), data: JSON.parse(field('data')) })
      }
    })
    response.on('error', () => {})
    response.on('close', () => {
      this.isEnded = true
    })
  }

  /** @returns the first message that fits, also of those that came before. */
  async until(fits: (message: StreamMessage) => boolean, deadlineMs = 30_000): Promise<StreamMessage> {
    const deadline = performance.now() + deadlineMs
    for (;;) {
      const found = this.messages.find(fits)
      if (found !== undefined) return found
      if (performance.now() > deadline) assert.fail(`no such message: ${JSON.stringify(this.messages).slice(-2000)}`)
      await delay(20)
    }
  }

  async ended(deadlineMs = 30_000): Promise<void> {
    const deadline = performance.now() + deadlineMs
    while (!this.isEnded) {
      if (performance.now() > deadline) assert.fail('the stream goes on')
      await delay(20)
    }
  }

  /** Stops reading. */
  pause(): void {
    this.#response.pause()
  }

  close(): void {
    this.#response.destroy()
  }
}

/** Sends lines one after the other, and prints the answers. A connection that ends early prints “closed”. */
const ASK = `
  const [path, ...lines] = process.argv.slice(1)
  const socket = require('node:net').connect(path)
  let text = ''
  let missing = lines.length
  const send = () => lines.length > 0 ? socket.write(lines.shift() + '\\n') : socket.end()
  socket.on('connect', send)
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
    for (let end; (end = text.indexOf('\\n')) >= 0; text = text.slice(end + 1), send())
      console.log(text.slice(0, end), missing-- && '')
  })
  socket.on('error', () => {})
  socket.on('close', () => { if (missing > 0) console.log('"closed"') })`

/** @param lines what is asked, one after the other. @returns the answers. */
export function askConsoleSocket(
  host: Host,
  socket: string,
  lines: readonly (string | object)[],
  uid = NOBODY,
): readonly unknown[] {
  const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all']
  const out = host.must([...as, process.execPath, '-e', ASK, socket, ...texts], { timeoutMs: 90_000 })
  return out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}
