/**
 * What the two processes say to each other travels as one JSON value a line over a socket pair. The reader trusts nothing:
 * a line may be too long, no JSON, or JSON of the wrong shape, and the other end may be in an attacker's hands.
 */
import type { Duplex } from 'node:stream'

/** Longer than any honest line but for the configuration, which only ever goes to the receiver. */
const LONGEST_LINE = 64 * 1024
const NEWLINE = 0x0a

export interface Channel {
  send(value: unknown): void
  /** Bytes that the other end has not taken yet. */
  readonly backlog: number
  end(): void
}

export interface ChannelEvents {
  /** One call for all whole lines of what just arrived, so that the caller may handle them together. */
  readonly onValues: (values: unknown[]) => void
  /** The other end broke the framing. Nothing it says is heard after this. */
  readonly onBroken: (why: string) => void
  readonly onEnd: () => void
}

/** @param longestLine in bytes; a longer line is a broken channel. */
export function openChannel(stream: Duplex, events: ChannelEvents, longestLine: number = LONGEST_LINE): Channel {
  let held: Buffer[] = []
  let heldLength = 0
  let broken = false

  const fail = (why: string): void => {
    broken = true
    held = []
    events.onBroken(why)
  }

  stream.on('data', (chunk: Buffer) => {
    if (broken) return
    const values: unknown[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = heldLength === 0 ? chunk.subarray(start, end) : Buffer.concat([...held, chunk.subarray(start, end)])
      held = []
      heldLength = 0
      start = end + 1
      if (line.length > longestLine) return fail(`a line of ${line.length} bytes`)
      try {
        values.push(JSON.parse(line.toString('utf8')))
      } catch {
        return fail('a line that is not JSON')
      }
    }
    if (start < chunk.length) {
      held.push(chunk.subarray(start))
      heldLength += chunk.length - start
      if (heldLength > longestLine) return fail(`a line of more than ${longestLine} bytes`)
    }
    if (values.length > 0) events.onValues(values)
  })
  let ended = false
  const end = (): void => {
    if (!ended) events.onEnd()
    ended = true
  }
  stream.on('end', end)
  stream.on('close', end)
  stream.on('error', end)

  return {
    send(value) {
      if (!stream.destroyed && stream.writable) stream.write(`${JSON.stringify(value)}\n`)
    },
    get backlog() {
      return stream.writableLength
    },
    end() {
      stream.destroy()
    },
  }
}
