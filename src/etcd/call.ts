/**
 * One request to one member of an etcd cluster, by the JSON gateway that each member has (`/v3/…`). Nothing is sent a
 * second time here.
 */
import { Agent as HttpAgent, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { createSecureContext } from 'node:tls'
import { jsonLine, printable } from '../bytes/text.ts'
import { integer, type Reader, record, text } from '../json-reader.ts'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'

/** How the members are reached. */
export interface EtcdAccess {
  readonly members: readonly EtcdMember[]
  /** Absent: plain HTTP. */
  readonly tls?: EtcdTls
  /** Absent: etcd asks nobody who he is. */
  readonly login?: { readonly user: string; readonly password: string }
}

export interface EtcdMember {
  /** An address or a name. */
  readonly host: string
  readonly port: Port
}

/** Each as PEM. */
export interface EtcdTls {
  /** Whose certificates count. Absent: the list of Node.js. */
  readonly authorities?: string
  /** What this client shows. */
  readonly own?: { readonly certificate: string; readonly key: string }
}

/**
 * - `answer`: etcd did what was asked.
 * - `refused`: etcd did nothing, and says why. `code` is that of gRPC.
 * - `silence`: it may have been done, or not.
 */
export type EtcdAnswer =
  | { readonly kind: 'answer'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly code: number; readonly why: string }
  | { readonly kind: 'silence'; readonly why: string }

/** Bytes of the longest answer: a full batch of claims has some 40 000. */
const LONGEST_ANSWER = 4 * 1024 * 1024
/** To one member at a time. */
const MOST_CONNECTIONS = 8
/** How long a stream is silent before the kernel asks whether the other end is there. */
const STREAM_ALIVE = milliseconds(1000)

/** What a member answers instead: the status of gRPC, as JSON. */
const readError: Reader<{ readonly code: number; readonly message: string }> = (value) => {
  const { code, message } = (value ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  return errorFields({ code, message })
}
const errorFields = record({ code: integer({ min: 1, max: 99 }), message: text({ max: 10_000 }) }, {})

export interface EtcdCalls {
  /** Never rejects. @param path such as `/v3/kv/txn`. */
  call(member: EtcdMember, path: string, body: unknown, options: CallOptions): Promise<EtcdAnswer>
  /**
   * An answer without an end: one value after the other. Never rejects.
   * @param path such as `/v3/watch`.
   * @returns why it has ended.
   */
  stream(member: EtcdMember, path: string, body: unknown, options: StreamOptions): Promise<string>
  close(): void
}

export interface StreamOptions {
  readonly token?: string | undefined
  /** Ends it. */
  readonly signal: AbortSignal
  /** @param value is not looked at. */
  readonly onValue: (value: unknown) => void
}

export interface CallOptions {
  readonly limit: Milliseconds
  readonly token?: string | undefined
  /** Ends the request: its answer is not needed any more. */
  readonly signal?: AbortSignal | undefined
}

export function etcdCalls({ tls }: Pick<EtcdAccess, 'tls'>): EtcdCalls {
  const connections = { keepAlive: true, maxSockets: MOST_CONNECTIONS, scheduling: 'fifo' } as const
  const agent = tls === undefined ? new HttpAgent(connections) : new HttpsAgent(connections)
  const send = tls === undefined ? requestHttp : requestHttps
  const { authorities, own } = tls ?? {}
  const secureContext =
    tls === undefined
      ? undefined
      : createSecureContext({
          minVersion: 'TLSv1.2',
          ...(authorities !== undefined && { ca: authorities }),
          ...(own !== undefined && { cert: own.certificate, key: own.key }),
        })
  const begin = ({ host, port }: EtcdMember, path: string, body: unknown, token?: string, own?: typeof agent) => {
    const text = jsonLine(body)
    const request = send({
      ...{ host, port, path, method: 'POST', agent: own ?? agent },
      headers: {
        'content-type': 'application/json',
        'content-length': `${Buffer.byteLength(text)}`,
        ...(token !== undefined && { authorization: token }),
      },
      ...(secureContext !== undefined && { secureContext, rejectUnauthorized: true }),
    })
    request.end(text)
    return request
  }
  return {
    stream: (member, path, body, { token, signal, onValue }) =>
      new Promise((resolve) => {
        // It lasts: it must not take the place of other requests.
        const request = begin(member, path, body, token, tls === undefined ? new HttpAgent() : new HttpsAgent())
        const end = (why: string): void => {
          signal.removeEventListener('abort', onAbort)
          resolve(printable(why).slice(0, 300))
          request.destroy()
        }
        const onAbort = (): void => end('not needed any more')
        if (signal.aborted) onAbort()
        signal.addEventListener('abort', onAbort)
        request.on('error', (error: NodeJS.ErrnoException) => end(error.message || (error.code ?? 'no connection')))
        request.on('response', (response) => {
          const lines = new StreamLines()
          response.on('data', (part: Buffer) => {
            const values = signal.aborted ? [] : lines.push(part)
            if (values === undefined) end('a stream that is not etcd’s')
            else for (const value of values) if (!signal.aborted) onValue(value)
          })
          response.on('error', (error) => end(error.message))
          response.on('end', () => end(`the stream ended, with status ${response.statusCode}`))
        })
        request.on('socket', (socket) => socket.setKeepAlive(true, STREAM_ALIVE).setNoDelay(true))
        request.on('close', () => end('the connection ended'))
      }),
    call: (member, path, body, { limit, token, signal }) =>
      new Promise((resolve) => {
        const request = begin(member, path, body, token)
        const end = (answer: EtcdAnswer): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
          resolve(answer)
          if (answer.kind === 'silence') request.destroy()
        }
        const silence = (why: string): void => end({ kind: 'silence', why: printable(why).slice(0, 300) })
        const onAbort = (): void => silence('not needed any more')
        const timer = setTimeout(() => silence(`no answer within ${limit} ms`), limit)
        signal?.addEventListener('abort', onAbort)
        request.on('error', (error: NodeJS.ErrnoException) => silence(error.message || (error.code ?? 'no connection')))
        request.on('response', (response) => {
          const parts: Buffer[] = []
          let length = 0
          response.on('data', (part: Buffer) => {
            length += part.length
            if (length > LONGEST_ANSWER) silence(`an answer of more than ${LONGEST_ANSWER} bytes`)
            else parts.push(part)
          })
          response.on('error', (error) => silence(error.message))
          response.on('end', () => end(readAnswer(response.statusCode ?? 0, Buffer.concat(parts).toString('utf8'))))
        })
        request.on('close', () => silence('the connection ended without an answer'))
      }),
    close: () => agent.destroy(),
  }
}

/** One JSON value a line. */
class StreamLines {
  #held: Buffer[] = []
  #length = 0

  /** @returns the values that are complete now; undefined for what is none, or too long. */
  push(part: Buffer): readonly unknown[] | undefined {
    const values: unknown[] = []
    let start = 0
    for (let end = part.indexOf(0x0a); end >= 0; end = part.indexOf(0x0a, start)) {
      const line = Buffer.concat([...this.#held, part.subarray(start, end)])
      this.#held = []
      this.#length = 0
      start = end + 1
      if (line.length > LONGEST_ANSWER) return undefined
      try {
        values.push(JSON.parse(line.toString('utf8')))
      } catch {
        return undefined
      }
    }
    if (start < part.length) this.#held.push(part.subarray(start))
    this.#length += part.length - start
    return this.#length > LONGEST_ANSWER ? undefined : values
  }
}

/** gRPC: DEADLINE_EXCEEDED, UNKNOWN, ABORTED, INTERNAL, UNAVAILABLE. What was asked may have been done all the same. */
const UNCERTAIN: ReadonlySet<number> = new Set([1, 2, 4, 10, 13, 14, 15])

function readAnswer(status: number, body: string): EtcdAnswer {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { kind: 'silence', why: `an answer with status ${status} that is not etcd’s` }
  }
  if (status === 200) return { kind: 'answer', value }
  const error = readError(value)
  if (error === undefined) return { kind: 'silence', why: `an answer with status ${status} that is not etcd’s` }
  const why = printable(error.message).slice(0, 300)
  return UNCERTAIN.has(error.code) ? { kind: 'silence', why } : { kind: 'refused', code: error.code, why }
}
