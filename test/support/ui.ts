/** `ghostport ui` as a process of its own, with the page that the build makes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildUi } from '../../web/build-ui.mjs'
import { type BuiltTree, builtTree } from './built-tree.ts'
import type { Host } from './netns.ts'

/** With `dist/web/ui`. */
export type UiTree = BuiltTree

export function uiTree(): Promise<UiTree> {
  return builtTree('ui', buildUi)
}

export interface UiProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly origin: string
  readonly launchFile: string
  readonly secret: string
  /** A home of its own. */
  readonly home: string
  readonly ended: Promise<unknown>
  /** What it said on standard error. */
  readonly said: () => string
}

/** @param home has the `.fwknoprc`. */
export async function startUi(
  tree: UiTree,
  home: string,
  args: readonly string[] = [],
  host?: Host,
): Promise<UiProcess> {
  const temporary = join(home, 'tmp')
  mkdirSync(temporary, { recursive: true })
  const words = [...tree.command, 'ui', '--no-browser', ...args]
  const [file = '', ...rest] = host === undefined ? words : host.command(words)
  const child = spawn(file, rest, {
    env: { ...process.env, HOME: home, TMPDIR: temporary, XDG_STATE_HOME: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close')
  let said = ''
  const launchFile = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const path = /browser: (\S+) /.exec(said)?.[1]
      if (path !== undefined) resolve(path)
    })
    ended.then(() => reject(new Error(`ghostport ui ended: ${said}`)))
  })
  const page = readFileSync(launchFile, 'utf8')
  const [, origin = ''] = /action="(http:[^"]*)\/launch"/.exec(page) ?? []
  const [, secret = ''] = /value="([^"]+)"/.exec(page) ?? []
  return {
    ...{ child, origin, launchFile, secret, home, ended },
    said: () => said,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGTERM')
      await ended
    },
  }
}

/** A request as a browser or anybody else sends it. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** With `node:http`, since `fetch` would not send another Host. */
export async function ask(
  origin: string,
  path: string,
  { headers = {}, body, method }: { headers?: Record<string, string>; body?: string; method?: string } = {},
): Promise<Answer> {
  const { request } = await import('node:http')
  const { port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const made = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: { host: `localhost:${port}`, ...headers },
        agent: false,
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.once('end', () => {
          const all = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as [string, string])
          resolve({ status: response.statusCode ?? 0, headers: new Headers(all), text })
        })
      },
    )
    made.once('error', reject)
    made.end(body)
  })
}

/** What the page does first. @returns its token. */
export async function launch({ origin, secret }: UiProcess): Promise<string> {
  const form = { 'content-type': 'application/x-www-form-urlencoded', origin: 'null' }
  const { status, text } = await ask(origin, '/launch', { headers: form, body: `launch=${secret}` })
  const [, token = ''] = /name="ghostport-token" content="([^"]+)"/.exec(text) ?? []
  if (status !== 200 || token === '') throw new Error(`launch: ${status}`)
  return token
}
