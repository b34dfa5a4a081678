/**
 * Everything that a command shows or asks goes through here: results to standard output, the rest to standard error,
 * colour only where a person looks, secrets asked for without echo.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { jsonLine, lastCharacterLength, printable } from '../../bytes/text.ts'
import { keyMissing } from '../../client/key-missing.ts'
import { failureKinds } from '../../failure-codes.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import { journalPrefix } from '../../system/journal-stream.ts'
import { type Line, line, renderLine, type Style, style } from './line.ts'

export interface Terminal {
  /** A line, or several, on standard output: what the command was asked for. */
  print(lines: Line | readonly Line[]): void
  /** One line of JSON on standard output. */
  printJson(value: unknown): void
  /** A line, or several, on standard error: what the user should know besides. */
  note(lines: Line | readonly Line[]): void
  /**
   * Says on standard error why the command cannot go on, and how it could.
   * @returns the exit status for it.
   */
  fail(failure: Failure): number
  /** Marks up parts of lines. Shown only on a terminal, and where NO_COLOR is unset. */
  readonly style: Style
  /**
   * Asks on the controlling terminal, without echo, even where standard input and output are redirected.
   * @returns the bytes typed, without the line's end. `KEY_MISSING` where there is no terminal or nothing was typed.
   */
  askSecret(question: string): Promise<Result<Uint8Array, Failure<'KEY_MISSING'>>>
}

export interface SystemTerminal extends Terminal {
  /** The system's code for it, where standard output did not take all that was printed (`ENOSPC`). */
  readonly outputLost: string | undefined
}

/** The terminal of this process. @param program its name, with which a failure begins. */
export function systemTerminal(program = 'ghostport'): SystemTerminal {
  let outputLost: string | undefined
  const write = (descriptor: 1 | 2, lines: Line | readonly Line[], prefix = ''): string | undefined => {
    const each: readonly Line[] = isOne(lines) ? [lines] : lines
    const coloured = each.some((shown) => typeof shown !== 'string') && showsColour(descriptor)
    const text = each.map((shown) => `${prefix}${renderLine(shown, coloured)}\n`).join('')
    return writeAll(descriptor, text)
  }
  return {
    style,
    get outputLost() {
      return outputLost
    },
    print(lines) {
      outputLost ??= write(1, lines)
    },
    printJson(value) {
      outputLost ??= write(1, jsonLine(value))
    },
    note(lines) {
      write(2, lines)
    },
    fail(failure) {
      const level = journalPrefix(2)('error')
      write(2, line`${style.bad(`${program}:`)} ${describeFailure(failure)}`, level)
      return failureKinds[failure.code].exit
    },
    askSecret,
  }
}

/** Asked only where something is marked up: to load node:tty, and net with it, would take 3 ms before each knock. */
function showsColour(descriptor: 1 | 2): boolean {
  // An old Node.js, which is only told that it is old, has no such function.
  return !process.env['NO_COLOR'] && process.getBuiltinModule?.('node:tty').isatty(descriptor) === true
}

function isOne(lines: Line | readonly Line[]): lines is Line {
  return !Array.isArray(lines)
}

/** `FILE:LINE: the value is not valid: … (perhaps “…”) [CODE]`. */
export function describeFailure(failure: Failure): string {
  const location = failure.at === undefined ? '' : `${failure.at.file}:${failure.at.line}: `
  const hint = failure.suggestion === undefined ? '' : ` — perhaps: ${failure.suggestion}`
  return `${location}${failureKinds[failure.code].sentence}: ${failure.detail}${hint} [${failure.code}]`
}

/**
 * Takes lines of {@link renderLine} only. Straight to the descriptor: `process.stdout` costs a knock several
 * milliseconds to load. A reader that went away is no error of ours; one that is slow (a pipe set non-blocking by
 * somebody else) is waited for.
 * @returns the system's code for why not all of it was written.
 */
function writeAll(descriptor: 1 | 2, text: string): string | undefined {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const code = errorCode(error) ?? systemReason(error)
      if (code !== 'EAGAIN') return code === 'EPIPE' ? undefined : code
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  return undefined
}

/** Bytes of keyboard keys in raw mode. */
const KEYS = {
  interrupt: 0x03,
  endOfInput: 0x04,
  backspace: 0x08,
  newline: 0x0a,
  enter: 0x0d,
  killLine: 0x15,
  delete: 0x7f,
}

async function askSecret(question: string): Promise<Result<Uint8Array, Failure<'KEY_MISSING'>>> {
  let descriptor: number
  try {
    descriptor = openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY)
  } catch {
    return keyMissing.noTerminal(question)
  }
  const { ReadStream } = await import('node:tty')
  // The stream owns a descriptor of its own to read from and to switch to raw mode; libuv closes it with the stream.
  const keyboard = new ReadStream(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY))
  try {
    keyboard.setRawMode(true)
    writeSync(descriptor, `${printable(question)}: `)
    const typed = await readLine(keyboard)
    if (typed === 'interrupted') {
      keyboard.setRawMode(false)
      writeSync(descriptor, '\n')
      process.exit(130) // as a shell reports a command that Ctrl-C ended
    }
    return typed.length === 0 ? keyMissing.nothingTyped(question) : ok(typed)
  } catch {
    return keyMissing.noTerminal(question) // it was hung up
  } finally {
    try {
      keyboard.setRawMode(false)
      writeSync(descriptor, '\n')
    } catch {
      // It was hung up: nobody sees the line.
    }
    keyboard.destroy()
    closeSync(descriptor)
  }
}

function readLine(keyboard: NodeJS.ReadableStream): Promise<Uint8Array | 'interrupted'> {
  return new Promise((resolve) => {
    const typed: number[] = []
    const line = (): Uint8Array => Uint8Array.from(typed)
    keyboard.on('end', () => resolve(line()))
    keyboard.on('error', () => resolve(line()))
    keyboard.on('data', (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte === KEYS.enter || byte === KEYS.newline || byte === KEYS.endOfInput) return resolve(line())
        if (byte === KEYS.interrupt) return resolve('interrupted')
        if (byte === KEYS.backspace || byte === KEYS.delete) typed.length -= lastCharacterLength(typed)
        else if (byte === KEYS.killLine) typed.length = 0
        else typed.push(byte)
      }
    })
  })
}
