/**
 * The control socket: a Unix socket that only its owner may open. A client sends one line of JSON, `{"ask":"status"}`,
 * and gets one line of JSON back. It can ask for what a signal does, that the files are read again; and for what only
 * takes away, that grants end: `{"ask":"revoke","word":"alice"}`. In a cluster with shared users, it can change them.
 */
import { chmodSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { jsonLine } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Asker, askerAt } from '../../system/asker.ts'
import { systemReason } from '../../system/errno.ts'
import { judgeServerFile } from '../../system/server-file.ts'
import { milliseconds } from '../../units.ts'
import { clearForSocket } from './own-paths.ts'

/** Characters. Stanzas of a cluster are the longest; only root may ask. */
const LONGEST_REQUEST = 4 * 1024 * 1024
/** How long a client may take to ask its question, and the server to answer it. */
const QUESTION_TIME = milliseconds(2000)
/** The same for an answer that has to wait: for a receiver to read many stanzas, or for iptables. */
export const RELOAD_TIME = milliseconds(30_000)
/** The same for a change that etcd has to take. */
export const CHANGE_TIME = milliseconds(60_000)

/** What is asked, and what belongs to it. Only the name has been checked. */
export interface Request {
  readonly ask: string
  readonly [name: string]: unknown
}

/** What makes an answer. `asker` is to be called at once, and only where something changes: it costs system calls. */
export type Answer = (request: Request, asker: () => Asker) => Promise<unknown>

/**
 * Answers `{"ask":NAME}` for each name in `answers`. The socket is made again: a server that died leaves its file
 * behind.
 */
export async function serveControl(
  path: string,
  answers: { readonly [ask: string]: Answer },
): Promise<Result<Server, Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'>>> {
  const answer = (socket: Socket, request: Request): void => {
    const { ask } = request
    const ready = Object.hasOwn(answers, ask) ? answers[ask] : undefined
    if (ready === undefined) {
      socket.end('{"error":"unknown question"}\n')
      return
    }
    // Who asks decides how long to wait.
    socket.setTimeout(CHANGE_TIME)
    ready(request, () => askerAt(socket)).then(
      (value) => socket.end(`${jsonLine(value)}\n`),
      () => socket.destroy(),
    )
  }
  const server = createServer((socket) => {
    let asked = ''
    socket.setTimeout(QUESTION_TIME, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.setEncoding('utf8').on('data', (chunk) => {
      asked += chunk
      const end = asked.indexOf('\n')
      if (end >= 0) answer(socket, parseRequest(asked.slice(0, end)))
      else if (asked.length > LONGEST_REQUEST) socket.destroy()
    })
  })
  try {
    const stands = clearForSocket(path)
    if (stands !== undefined) return { ok: false, failure: stands }
    await new Promise<void>((done, failed) => {
      server.once('error', failed)
      const mask = process.umask(0o177)
      server.listen(path, done)
      process.umask(mask)
    })
    chmodSync(path, 0o600)
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
  }
  return ok(server)
}

/** Another user's program may answer there. */
function exposureOf(path: string): string | undefined {
  try {
    return judgeServerFile(path)?.detail
  } catch {
    return undefined // Who connects is told why that is not possible.
  }
}

/** The end of the detail of a failure where no server runs. */
export const NOBODY_THERE = 'no ghostport is running there'

/** `listens`: something accepted the connection but gave no answer. */
export type ControlFailure = Failure<'STATUS_UNAVAILABLE'> & { readonly listens: boolean }

/** Asks a running server. @param time how long it may take. */
export async function askControl(
  path: string,
  ask: string | Request,
  time = QUESTION_TIME,
): Promise<Result<unknown, ControlFailure>> {
  return new Promise((resolve) => {
    let listens = false
    const fail = (why: string): void =>
      resolve({ ok: false, failure: { code: 'STATUS_UNAVAILABLE', detail: `${path}: ${why}`, listens } })
    const exposed = exposureOf(path)
    if (exposed !== undefined) {
      fail(exposed)
      return
    }
    const socket = connect(path)
    let answer = ''
    socket.setTimeout(time, () => {
      socket.destroy()
      fail('no answer')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => fail(explain(error)))
    socket.on('connect', () => {
      listens = true
      socket.write(`${JSON.stringify(typeof ask === 'string' ? { ask } : ask)}\n`)
    })
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    socket.on('end', () => {
      try {
        resolve(ok(JSON.parse(answer)))
      } catch {
        fail('the answer is incomplete')
      }
    })
  })
}

function parseRequest(line: string): Request {
  try {
    const value: unknown = JSON.parse(line)
    const isRequest = typeof value === 'object' && value !== null && 'ask' in value && typeof value.ask === 'string'
    return isRequest ? (value as Request) : NO_REQUEST
  } catch {
    return NO_REQUEST
  }
}

const NO_REQUEST: Request = { ask: '' }

function explain(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return NOBODY_THERE
  if (error.code === 'EACCES') return 'only the user who started it (root) may ask'
  return systemReason(error)
}
