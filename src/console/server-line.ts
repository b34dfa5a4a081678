/**
 * The line to the server: its socket for consoles (docs/CONSOLE-SOCKET.md). One request after the other, one JSON value
 * a line. A line that breaks is opened again with the next request. Each request is read as the server will read it: so
 * what a browser sends cannot be a line that the server ends the connection for.
 */
import { connect, type Socket } from 'node:net'
import { jsonLine } from '../bytes/text.ts'
import { type ConsoleRequest, parseConsoleRequest } from '../daemon/link/console-protocol.ts'
import { type FailureCode, failureKinds } from '../failure-codes.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { askerAt } from '../system/asker.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { milliseconds } from '../units.ts'

/** 5 000 grants have less than 2 MB. */
const MOST_ANSWER = 32 * 1024 * 1024
const CONNECT_TIME = milliseconds(5_000)
/** A command of the server's own, and a question for events, take longer than this by themselves. */
const ANSWER_TIME = milliseconds(90_000)
/** Requests that wait for their turn. */
const MOST_WAITING = 100

interface Waiting {
  readonly line: string
  readonly settle: (answer: Result<unknown>) => void
}

/** Why there is no answer: not the server's refusal. */
function away(path: string, why: string): Result<never, Failure<'STATUS_UNAVAILABLE'>> {
  return refuse('STATUS_UNAVAILABLE', `the server cannot be reached at ${path}: ${why}`)
}

export class ServerLine {
  readonly #path: string
  readonly #waiting: Waiting[] = []
  #socket: Socket | undefined
  #isClosed = false
  #opened = 0

  /** @param path CONSOLE_SOCKET of the server. */
  constructor(path: string) {
    this.#path = path
  }

  /**
   * @returns the value that the server answers; VALUE_INVALID for what is no request; STATUS_UNAVAILABLE where it
   * cannot be reached; else what the server refuses.
   */
  ask(request: ConsoleRequest): Promise<Result<unknown>> {
    const line = jsonLine(request)
    if (parseConsoleRequest(line) === undefined)
      return Promise.resolve(
        refuse('VALUE_INVALID', 'a field has characters or a length that the server does not take'),
      )
    if (this.#isClosed) return Promise.resolve(away(this.#path, 'the console ends'))
    if (this.#waiting.length >= MOST_WAITING)
      return Promise.resolve(refuse('STATUS_UNAVAILABLE', 'too many requests wait for the server'))
    return new Promise((settle) => {
      this.#waiting.push({ line, settle })
      if (this.#waiting.length === 1) this.#next()
    })
  }

  /** How often it was opened: another number is perhaps another server. */
  get opened(): number {
    return this.#opened
  }

  close(): void {
    this.#isClosed = true
    this.#broken('the console ends')
  }

  #next(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const socket = this.#socket ?? this.#open()
    socket.write(`${first.line}\n`)
    socket.setTimeout(ANSWER_TIME)
  }

  #open(): Socket {
    const socket = connect(this.#path)
    this.#socket = socket
    this.#opened++
    const chunks: string[] = []
    let length = 0
    const lost = (why: string): void => {
      if (this.#socket === socket) this.#broken(why)
      else socket.destroy()
    }
    socket.setTimeout(CONNECT_TIME)
    socket.on('timeout', () => lost('it does not answer in time'))
    socket.on('error', (error) => lost(whyUnreachable(error)))
    socket.on('close', () => lost('it ended the connection: CONSOLE_USER must be the user of the console'))
    socket.once('connect', () => {
      // A program of another user at this path could tell us anything.
      const { uid } = askerAt(socket)
      if (uid !== 0 && uid !== process.geteuid?.())
        lost(`another user than root listens there (uid ${uid ?? 'unknown'})`)
    })
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      length += chunk.length
      if (length > MOST_ANSWER) {
        lost('its answer is too long')
        return
      }
      const end = chunk.indexOf('\n')
      chunks.push(chunk)
      if (end < 0) return
      const text = chunks.splice(0).join('')
      length = 0
      this.#answered(text.slice(0, text.indexOf('\n')))
    })
    return socket
  }

  #answered(line: string): void {
    const first = this.#waiting.shift()
    first?.settle(readAnswer(line))
    this.#next()
    if (this.#waiting.length === 0) this.#socket?.setTimeout(0)
  }

  #broken(why: string): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
    // All of them: who asked may ask again, and a change must not be made twice.
    for (const { settle } of this.#waiting.splice(0)) settle(away(this.#path, why))
  }
}

function readAnswer(line: string): Result<unknown> {
  let answer: unknown
  try {
    answer = JSON.parse(line)
  } catch {
    return refuse('STATUS_UNAVAILABLE', 'the answer of the server is not JSON')
  }
  if (typeof answer !== 'object' || answer === null || !('done' in answer))
    return refuse('STATUS_UNAVAILABLE', 'the answer of the server cannot be understood')
  if (answer.done === true) return ok('value' in answer ? answer.value : undefined)
  const code = 'code' in answer && typeof answer.code === 'string' ? answer.code : ''
  const detail = 'detail' in answer && typeof answer.detail === 'string' ? answer.detail : 'no reason was given'
  return refuse(Object.hasOwn(failureKinds, code) ? (code as FailureCode) : 'CONSOLE_REFUSED', detail)
}

function whyUnreachable(error: unknown): string {
  const code = errorCode(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'no server listens there (CONSOLE_USER in fwknopd.conf)'
  if (code === 'EACCES') return 'this user may not pass its folder (RuntimeDirectoryMode=0711)'
  return systemReason(error)
}
