/** The requests of the page (docs/UI.md). All but the files of the page and the launch need the token. */
import { jsonLine } from '../bytes/text.ts'
import { systemClock } from '../clock.ts'
import { failureKinds } from '../failure-codes.ts'
import type { Bundle } from '../http-server/bundle.ts'
import { bundleRoutes } from '../http-server/bundle.ts'
import { errorReply, type HttpReply, type HttpRequest, jsonReply, type Route, route } from '../http-server/route.ts'
import type { PagePermissions } from '../http-server/security-headers.ts'
import { integer, list, mapped, type Reader, record, text } from '../json-reader.ts'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { homeDirectory } from '../system/home.ts'
import { type Port, parsePort } from '../units.ts'
import { exportOf } from './export.ts'
import { type KeptFiles, readArgv } from './kept-files.ts'
import { knockWith } from './knock-events.ts'
import type { OpenPages } from './open-pages.ts'
import { fillIn, isSameArgv, startProgram } from './program.ts'
import type { RcBook } from './rc-book.ts'
import { isToken, type LaunchSecret, type Token } from './token.ts'

export interface UiParts {
  readonly version: string
  readonly bundle: Bundle
  readonly book: RcBook
  readonly kept: KeptFiles
  readonly pages: OpenPages
  readonly launch: LaunchSecret
  readonly token: Token
  /** The page was launched: its file can go. */
  readonly onLaunched: () => void
  /** @returns undefined for a text that is too long for a code. */
  readonly qrCode: (text: string) => Promise<readonly (readonly boolean[])[] | undefined>
}

const MOST = 100_000
/** At the same time, of all pages. */
const MOST_KNOCKS = 8

/** What the page may do: nothing from elsewhere, no frame, no form. */
export const UI_PAGE: PagePermissions = {
  content: {
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self' blob: data:",
    'connect-src': "'self'",
  },
  trustedTypes: ['ghostport'],
  powers: ['camera'],
}

const name = text({ max: 200 })
const revision = text({ max: 100 })
const nullable: Reader<{ readonly value: string | null }> = (value) =>
  value === null || (typeof value === 'string' && value.length <= 5_000) ? { value } : undefined
const setting: Reader<{ readonly name: string; readonly value: string | null }> = (given) => {
  const read = record({ name, value: nullable }, {})(given)
  return read === undefined ? undefined : { name: read.name, value: read.value.value }
}
const yesNo: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)
const address: Reader<IpAddress> = mapped(text({ max: 60 }), (read) => {
  const parsed = parseAddress(read)
  return parsed.ok ? parsed.value : undefined
})
const port: Reader<Port> = mapped(integer({ min: 1, max: 65_535 }), (read) => {
  const parsed = parsePort(String(read))
  return parsed.ok ? parsed.value : undefined
})

const readChange = record(
  { revision, name, settings: list(setting, { min: 0, max: 100 }) },
  { rename: name, isNew: yesNo },
)
const readNamed = record({ name }, {})
const readRemoval = record({ revision, name }, {})
const readKnock = record(
  { name, wait: yesNo },
  {
    allow: text({ max: 60 }),
    timeout: integer({ min: 1, max: 65_535 }),
    close: yesNo,
    passphrase: text({ max: 1_000 }),
  },
)
const readProgram = record({ name, argv: readArgv }, {})
const readRun = record({ name, argv: readArgv, address, port }, {})
const readNothing = record({}, {})

export function uiRoutes(parts: UiParts): readonly Route[] {
  const { bundle, book, kept, pages, token } = parts
  let knocks = 0
  /** A route that only the page may use. */
  const get = (path: string, handle: (request: HttpRequest<undefined>) => HttpReply): Route =>
    route<undefined>({
      method: 'GET',
      path,
      from: 'own',
      body: { kind: 'none' },
      handle: (request) => (isOurs(request, token) ? handle(request) : strange()),
    })
  const post = <Body>(
    path: string,
    read: Reader<Body>,
    handle: (request: HttpRequest<Body>) => HttpReply | Promise<HttpReply>,
  ): Route =>
    route<Body>({
      method: 'POST',
      path,
      from: 'own',
      body: { kind: 'json', read, most: MOST },
      handle: (request) => (isOurs(request, token) ? handle(request) : strange()),
    })

  const state = (): Result<unknown, Failure> => {
    const shown = book.shown()
    if (!shown.ok) return shown
    const programs = kept.programs()
    if (!programs.ok) return programs
    const argvOf = (stanza: string) =>
      programs.value.find((it) => it.stanza.toLowerCase() === stanza.toLowerCase())?.argv
    const stanzas = shown.value.stanzas.map((it) => ({ ...it, program: argvOf(it.name) ?? [] }))
    return ok({ ...shown.value, file: tilde(shown.value.file), stanzas, version: parts.version, bundle: bundle.hash })
  }
  const then = (done: Result<void, Failure>): HttpReply => answered(done.ok ? state() : done)

  return [
    ...bundleRoutes(bundle, UI_PAGE),
    route<string>({
      method: 'POST',
      path: '/launch',
      // From a file: such a page has the origin “null”.
      from: 'named',
      body: { kind: 'form', read: (fields) => fields.get('launch'), most: 200 },
      page: UI_PAGE,
      handle({ body }) {
        if (!parts.launch.use(body)) return errorReply(403, 'launch')
        parts.onLaunched()
        return launched(bundle, token)
      },
    }),
    get('/api/state', () => answered(state())),
    get('/api/history', () => {
      const knocks = kept.history()
      return answered(knocks.ok ? ok({ knocks: knocks.value }) : knocks)
    }),
    get('/api/alive', ({ signal }) => ({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      stream: (write) => pages.hold(write, signal),
    })),
    post('/api/stanza', readChange, ({ body }) => {
      const changed = book.change(body)
      if (!changed.ok || body.rename === undefined) return then(changed)
      return then(kept.follow(body.name, body.rename))
    }),
    post('/api/remove', readRemoval, ({ body }) => {
      const removed = book.remove(body.revision, body.name)
      return then(removed.ok ? kept.follow(body.name, undefined) : removed)
    }),
    post('/api/export', readNamed, async ({ body }) => {
      const written = book.written(body.name)
      if (!written.ok) return failed(written.failure)
      return jsonReply(200, await exportOf(body.name, written.value, parts.qrCode))
    }),
    post('/api/forget', readNothing, () => {
      const forgotten = kept.forget()
      return answered(forgotten.ok ? ok({ knocks: [] }) : forgotten)
    }),
    post('/api/program', readProgram, ({ body }) => then(kept.setProgram(body.name, body.argv))),
    post('/api/run', readRun, async ({ body }) => {
      const { name, argv, address, port } = body
      const program = kept.program(name)
      if (!program.ok) return failed(program.failure)
      // What was shown is what is kept: else somebody agreed to something else.
      if (!isSameArgv(program.value?.argv, argv) || argv.length === 0)
        return failed(
          refuse('CONFIG_CONFLICT', 'the program was changed meanwhile', { suggestion: 'look at it again' }).failure,
        )
      const agreed = kept.agree(name, argv)
      if (!agreed.ok) return failed(agreed.failure)
      return answered(await startProgram(fillIn(argv, { address, port })))
    }),
    post('/api/knock', readKnock, ({ body, signal }) => {
      if (knocks >= MOST_KNOCKS) return errorReply(429, 'knocks')
      return {
        status: 200,
        headers: { 'content-type': 'application/x-ndjson' },
        async stream(write) {
          knocks++
          // In order, and without a knock that waits for a slow page.
          let writing: Promise<unknown> = Promise.resolve()
          const tell = (event: object): void => {
            writing = writing.then(() => write(`${jsonLine(event)}\n`)).catch(() => {})
          }
          try {
            const done = await knockWith(book.file, body, tell, signal)
            if (done !== undefined) {
              const remembered = kept.remember(done)
              if (!remembered.ok) tell({ event: 'note', detail: remembered.failure.detail })
              if (done.outcome === 'open' || done.outcome === 'already') await afterwards(done.stanza, done, tell)
              tell({ event: 'end', outcome: done.outcome, at: done.at, now: systemClock.now() })
            }
            await writing
          } finally {
            knocks--
          }
        },
      }
    }),
  ]

  /** A program that was agreed to runs; any other is shown first. */
  async function afterwards(
    stanza: string,
    { address, port }: { readonly address?: string; readonly port?: number },
    tell: (event: object) => void,
  ): Promise<void> {
    const program = kept.program(stanza)
    const [at, to] = [parseAddress(address ?? ''), parsePort(String(port ?? ''))]
    if (!program.ok || program.value === undefined || !at.ok || !to.ok) return
    const { argv, agreed } = program.value
    const filled = fillIn(argv, { address: at.value, port: to.value })
    if (!isSameArgv(agreed, argv)) {
      tell({ event: 'program', state: 'ask', argv, filled })
      return
    }
    const started = await startProgram(filled)
    tell({
      event: 'program',
      state: started.ok ? 'started' : 'failed',
      filled,
      detail: started.ok ? '' : started.failure.detail,
    })
  }
}

/** As people write it: `~/.fwknoprc`. */
function tilde(file: string): string {
  const home = homeDirectory()
  return home !== undefined && file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
}

function isOurs(request: HttpRequest<unknown>, token: Token): boolean {
  const [, given] = /^Bearer ([A-Za-z0-9_-]{1,100})$/.exec(request.header('authorization') ?? '') ?? []
  return isToken(given, token)
}

function strange(): HttpReply {
  return errorReply(401, 'token')
}

function answered(result: Result<unknown, Failure>): HttpReply {
  return result.ok ? jsonReply(200, result.value ?? {}) : failed(result.failure)
}

function failed({ code, detail, suggestion }: Failure): HttpReply {
  const status = code === 'CONFIG_CONFLICT' ? 409 : 422
  const sentence = failureKinds[code].sentence
  return jsonReply(status, { error: { code, sentence, detail, suggestion: suggestion ?? null } })
}

const PLACE = '<meta name="ghostport-token" content="">'

/** The page, with its token in it: in no address, and in no cookie. */
function launched(bundle: Bundle, token: Token): HttpReply {
  const page = bundle.files.find(({ path }) => path === '/')
  const html = Buffer.from(page?.bytes ?? []).toString('utf8')
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      // What another program left behind under this very port: a worker of its own would see the token.
      'clear-site-data': '"cache", "storage"',
    },
    body: html.replace(PLACE, () => PLACE.replace('""', `"${token}"`)),
  }
}
