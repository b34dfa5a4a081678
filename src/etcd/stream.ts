/** An answer of a member of etcd that has no end, such as that of a watch: one JSON value a line. */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { SecureContext } from 'node:tls'
import { printable } from '../bytes/text.ts'
import { milliseconds } from '../units.ts'
import { connectionReason } from './connection-reason.ts'
import { type Asked, type EtcdMember, openRequest } from './connections.ts'
import { GrowingBytes } from './growing-bytes.ts'

/** How long a stream is silent before the kernel asks whether the other end is there. */
const STREAM_ALIVE = milliseconds(1000)

export interface StreamOptions {
  readonly token?: string | undefined
  /** Ends it. */
  readonly signal: AbortSignal
  /** @param value is not looked at. */
  readonly onValue: (value: unknown) => void
}

interface Stream extends Pick<Asked, 'path' | 'body'> {
  /** Absent: plain HTTP. */
  readonly secureContext: SecureContext | undefined
  /** In bytes. */
  readonly longestValue: number
}

/** Never rejects. @returns why it has ended. */
export function openStream(member: EtcdMember, stream: Stream, options: StreamOptions): Promise<string> {
  const { path, body, secureContext, longestValue } = stream
  const { token, signal, onValue } = options
  return new Promise((resolve) => {
    // A connection of its own, which ends with it.
    const agent = secureContext === undefined ? new HttpAgent() : new HttpsAgent()
    const request = openRequest(member, { path, body, token }, { secureContext, agent })
    const end = (why: string): void => {
      signal.removeEventListener('abort', onAbort)
      resolve(printable(why).slice(0, 300))
      request.destroy()
    }
    const onAbort = (): void => end('not needed any more')
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    request.on('error', (error) => end(connectionReason(error)))
    request.on('response', (response) => {
      const lines = new StreamLines(longestValue)
      response.on('data', (part: Buffer) => {
        const values = signal.aborted ? [] : lines.push(part)
        if (values === undefined) end('a stream that is not etcd’s')
        else for (const value of values) if (!signal.aborted) onValue(value)
      })
      response.on('error', (error) => end(connectionReason(error)))
      response.on('end', () => end(`the stream ended, with status ${response.statusCode}`))
    })
    request.on('socket', (socket) => socket.setKeepAlive(true, STREAM_ALIVE).setNoDelay(true))
    request.on('close', () => end('the connection ended'))
  })
}

/** One JSON value a line. */
class StreamLines {
  readonly #held = new GrowingBytes()
  readonly #longest: number

  constructor(longest: number) {
    this.#longest = longest
  }

  /** @returns the values that are complete now; undefined for what is none, or too long. */
  push(part: Buffer): readonly unknown[] | undefined {
    const values: unknown[] = []
    let start = 0
    for (let end = part.indexOf(0x0a); end >= 0; end = part.indexOf(0x0a, start)) {
      this.#held.push(part.subarray(start, end))
      start = end + 1
      if (this.#held.length > this.#longest) return undefined
      try {
        values.push(JSON.parse(this.#held.takeText()))
      } catch {
        return undefined
      }
    }
    if (start < part.length) this.#held.push(part.subarray(start))
    return this.#held.length > this.#longest ? undefined : values
  }
}
