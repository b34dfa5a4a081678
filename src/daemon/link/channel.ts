/**
 * The channel between the two processes: one JSON value per line over a socket pair. The reader trusts nothing: a line
 * may be too long, not JSON, or JSON of the wrong shape. An attacker may control the other end.
 */
import type { Duplex } from 'node:stream'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

/** Longer than any honest line, except the configuration, which goes only to the receiver. */
const LONGEST_LINE = 64 * 1024
const NEWLINE = 0x0a

export interface Channel {
  send(value: unknown): void
  /** The same for what comes in great numbers: all of one turn of the event loop leaves together, at its end. */
  sendSoon(value: unknown): void
  /** Bytes that the other end has not read yet. */
  readonly backlog: number
  end(): void
}

export interface ChannelEvents {
  /** Called once for all complete lines that just arrived, so that the caller can handle them together. */
  readonly onValues: (values: unknown[]) => void
  /** The other end broke the framing. Nothing is received after this. */
  readonly onBroken: (why: string) => void
  readonly onEnd: () => void
}

/** Reassembles lines, no matter how the bytes were split on their way. */
export class LineReader {
  readonly #longest: number
  #held: Buffer[] = []
  #heldLength = 0

  /** @param longest in bytes; a longer line breaks the channel. */
  constructor(longest: number = LONGEST_LINE) {
    this.#longest = longest
  }

  /**
   * @param chunk is kept if it ends within a line: do not write to it afterwards.
   * @returns the values of all complete lines; WARDEN_PROTOCOL if the other end broke the framing. Read nothing after
   * that.
   */
  push(chunk: Buffer): Result<unknown[], Failure<'WARDEN_PROTOCOL'>> {
    const values: unknown[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#held.push(chunk.subarray(start, end))
      const line = this.#held.length === 1 ? chunk.subarray(start, end) : Buffer.concat(this.#held)
      this.#held = []
      this.#heldLength = 0
      start = end + 1
      if (line.length > this.#longest) return refuse('WARDEN_PROTOCOL', `a line of ${line.length} bytes`)
      try {
        values.push(JSON.parse(line.toString('utf8')))
      } catch {
        return refuse('WARDEN_PROTOCOL', 'a line that is not JSON')
      }
    }
    if (start < chunk.length) {
      this.#held.push(chunk.subarray(start))
      this.#heldLength += chunk.length - start
      if (this.#heldLength > this.#longest)
        return refuse('WARDEN_PROTOCOL', `a line of more than ${this.#longest} bytes`)
    }
    return ok(values)
  }
}

/** A channel over a stream, with Node's event loop. @param longestLine in bytes; a longer line breaks the channel. */
export function openChannel(stream: Duplex, events: ChannelEvents, longestLine?: number): Channel {
  const reader = new LineReader(longestLine)
  let broken = false
  stream.on('data', (chunk: Buffer) => {
    if (broken) return
    const read = reader.push(chunk)
    broken = !read.ok
    if (!read.ok) events.onBroken(read.failure.detail)
    else if (read.value.length > 0) events.onValues(read.value)
  })
  let ended = false
  const end = (): void => {
    if (!ended) events.onEnd()
    ended = true
  }
  stream.on('end', end)
  stream.on('close', end)
  stream.on('error', end)

  const write = (value: unknown): void => {
    if (!stream.destroyed && stream.writable) stream.write(`${JSON.stringify(value)}\n`)
  }
  let isHeld = false
  const release = (): void => {
    if (isHeld) stream.uncork()
    isHeld = false
  }
  return {
    send(value) {
      write(value)
      release()
    },
    sendSoon(value) {
      if (!isHeld) {
        isHeld = true
        stream.cork()
        process.nextTick(release)
      }
      write(value)
    },
    get backlog() {
      return stream.writableLength
    },
    end() {
      stream.destroy()
    },
  }
}
