/** The console beside a real server, and what tests do on its page. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import decodeQr from 'qr/decode.js'
import { buildConsole } from '../../web/build-console.mjs'
import { type BuiltTree, builtTree } from '../support/built-tree.ts'
import { serverForConsole } from '../support/console.ts'
import { type Daemon, knock, SERVER, stanza } from '../support/daemon.ts'
import type { Host, Network, Program } from '../support/netns.ts'

export const CONSOLE = 'http://localhost:8622'

/** A server, and a console on the loopback addresses of its host. */
export class ConsoleLab implements AsyncDisposable {
  readonly daemon: Daemon
  readonly tree: BuiltTree
  readonly #host: Host
  readonly #file: string
  readonly #program: Program

  static async start(net: Network, host: Host, more: Partial<LabSettings> = {}): Promise<ConsoleLab> {
    const tree = await builtTree('console', buildConsole)
    const access = stanza(['NAME ada', 'OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 60', 'MAX_FW_TIMEOUT 3600'])
    const { daemon, socket } = await serverForConsole(net, host, more.server, more.access ?? access)
    const own = net.directory()
    chmodSync(own, 0o755)
    mkdirSync(join(own, 'state'), { mode: 0o755 })
    const file = join(own, 'console.conf')
    const settings = ['LISTEN http://127.0.0.1:8622', 'HOST localhost', 'USER nobody']
    const places = [`STATE_FOLDER ${join(own, 'state/console')}`, `CONSOLE_SOCKET ${socket}`]
    writeFileSync(file, [...settings, ...places, ''].join('\n'))
    const program = host.start([...tree.command, 'console', '--config', file])
    await program.says(/"event":"ready"/)
    return new ConsoleLab(daemon, tree, host, file, program)
  }

  private constructor(daemon: Daemon, tree: BuiltTree, host: Host, file: string, program: Program) {
    this.daemon = daemon
    this.tree = tree
    this.#host = host
    this.#file = file
    this.#program = program
  }

  run(...words: readonly string[]): string {
    return this.#host.must([...this.tree.command, 'console', '--config', this.#file, ...words])
  }

  addAccount(name: string, role: 'viewer' | 'operator' | 'administrator'): void {
    this.run('account', 'add', name, '--role', role)
  }

  /** The link as it is printed. */
  link(name: string): string {
    const link = this.run('login', name).trim()
    assert.match(link, /^http:\/\/localhost:8622\/#login=[\w-]{16,}$/)
    return link
  }

  /** Knocks for ada from 10.9.0.1, for the ports tcp/22. @returns the verdict. */
  enter(client: Host, ...more: readonly string[]): ReturnType<Daemon['verdictAfter']> {
    return this.daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1', ...more))
  }

  /** As a program that has the token of a page. */
  ask(path: string, bearer: string, body?: object): { status: number; text: string } {
    const post = body === undefined ? [] : ['--json', JSON.stringify(body)]
    const auth = ['-H', `authorization: Bearer ${bearer}`, '-w', '\n%{http_code}']
    const out = this.#host.must(['curl', '-s', ...auth, ...post, `${CONSOLE}${path}`])
    return { status: Number(out.split('\n').at(-1)), text: out.slice(0, out.lastIndexOf('\n')) }
  }

  get pid(): number {
    return this.#program.pid
  }

  get said(): string {
    return this.#program.output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop('SIGTERM')
    await this.daemon.stop()
    this.tree[Symbol.dispose]()
  }
}

export interface LabSettings {
  readonly server: readonly string[]
  readonly access: string
}

export interface ConsoleTab {
  readonly tab: Page
  readonly context: BrowserContext
  /** All that the browser complained of: violations of the policy, errors of scripts. */
  readonly complaints: readonly string[]
}

/** A browser of its own. Layout shifts are counted from the first moment on. */
export async function openConsoleTab(
  browser: Browser,
  { width = 1280, height = 800, dark = false }: { width?: number; height?: number; dark?: boolean } = {},
): Promise<ConsoleTab> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const complaints: string[] = []
  await context.addInitScript(() => {
    const shifts: string[] = []
    Object.assign(window, { shifts })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as LayoutShift[])
        if (!entry.hadRecentInput)
          shifts.push(`${entry.value}: ${entry.sources.map(({ node }) => node?.textContent?.slice(0, 60)).join(' | ')}`)
    }).observe({ type: 'layout-shift', buffered: true })
  })
  const tab = await newConsoleTab(context, complaints)
  return { tab, context, complaints }
}

/** What Chromium tells of a layout shift. TypeScript does not know it. */
interface LayoutShift extends PerformanceEntry {
  readonly value: number
  readonly hadRecentInput: boolean
  readonly sources: readonly { readonly node: Node | null }[]
}

export async function newConsoleTab(context: BrowserContext, complaints: string[]): Promise<Page> {
  const tab = await context.newPage()
  tab.setDefaultTimeout(15_000)
  tab.on('console', (message) => {
    // Refusals are told by their status. Not every browser knows every power that is forbidden. The console takes
    // passkeys of elliptic curves alone.
    const isUsual = /status of 4\d\d|Permissions-Policy|pub_key_cred_params/.test(message.text())
    if (/^(warning|error)$/.test(message.type()) && !isUsual) complaints.push(message.text())
  })
  tab.on('pageerror', (error) => complaints.push(error.message))
  return tab
}

/** With what the page proves who it is; empty after a logout. */
export function tokenOf(tab: Page): Promise<string> {
  return tab.evaluate(() => sessionStorage.getItem('ghostport-console-token') ?? '')
}

/** What moved by itself. */
export function shiftsOf(tab: Page): Promise<readonly string[]> {
  return tab.evaluate(() => (window as unknown as { shifts: string[] }).shifts)
}

export async function logInByLink(tab: Page, link: string): Promise<void> {
  await tab.goto(link)
  await tab.getByRole('button', { name: 'Log in with this link' }).click()
  await tab.getByRole('heading', { name: 'Live grants' }).waitFor()
}

export async function show(tab: Page, view: string, heading: string | RegExp): Promise<void> {
  await tab.evaluate((address) => {
    location.hash = address
  }, `#/${view}`)
  await tab.getByRole('heading', { level: 1, name: heading }).waitFor()
}

/** What is in a QR code that the page shows, as a camera would read it. */
export async function readCode(tab: Page): Promise<string> {
  const picture = (await tab.locator('svg.qr').screenshot()).toString('base64')
  // Another page: this one may load no picture from elsewhere.
  const dark = await tab.context().newPage()
  const read = await dark.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
    const canvas = new OffscreenCanvas(image.width, image.height)
    const drawn = canvas.getContext('2d')
    drawn?.drawImage(image, 0, 0)
    const pixels = drawn?.getImageData(0, 0, image.width, image.height).data ?? new Uint8ClampedArray()
    let text = ''
    for (const value of pixels) text += String.fromCharCode(value)
    return { width: image.width, height: image.height, text: btoa(text) }
  }, picture)
  await dark.close()
  const data = new Uint8ClampedArray(Buffer.from(read.text, 'base64'))
  return decodeQr({ width: read.width, height: read.height, data }, { format: 'RGBA', effort: 8 })
}

/** The six digits of now (RFC 6238, SHA-1, 30 s). @param secret in base32. */
export function totp(secret: string, steps = 0): string {
  const bits = [...secret.replaceAll(/[\s=]/g, '')].map((sign) => {
    const value = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(sign)
    assert.ok(value >= 0, `“${sign}” is not base32`)
    return value.toString(2).padStart(5, '0')
  })
  const key = Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps))
  const mac = createHmac('sha1', key).update(counter).digest()
  const at = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}
