/**
 * Requests to the members of etcd, by connections of node:https that stay open. What a member may answer is bounded: in
 * time, in its head and in its body. Nothing is decompressed, and no redirection is followed.
 */
import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { SecureContext } from 'node:tls'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'
import { connectionReason } from './connection-reason.ts'
import { GrowingBytes } from './growing-bytes.ts'

/** To one member: in use, and of these those that wait for a request. */
const [MOST_SOCKETS, MOST_IDLE] = [32, 8] as const
/** After this time of silence the kernel asks whether the other end is there. */
const ALIVE_AFTER = milliseconds(1000)
/** Bytes of the head of an answer. etcd’s has some 300. */
const LONGEST_HEAD = 16 * 1024

export interface EtcdMember {
  /** An address or a name. */
  readonly host: string
  readonly port: Port
}

/** A request. */
export interface Asked {
  /** Such as `/v3/kv/txn`. */
  readonly path: string
  /** JSON. */
  readonly body: string
  readonly token?: string | undefined
}

export interface ExchangeLimits {
  readonly limit: Milliseconds
  /** In bytes, of the answer. */
  readonly longestBody: number
  readonly signal?: AbortSignal | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

export class Connections {
  readonly #agent: HttpAgent | HttpsAgent
  readonly #secureContext: SecureContext | undefined

  /** @param secureContext absent: plain TCP. */
  constructor(secureContext: SecureContext | undefined) {
    const options = {
      keepAlive: true,
      keepAliveMsecs: ALIVE_AFTER,
      maxSockets: MOST_SOCKETS,
      maxFreeSockets: MOST_IDLE,
    }
    this.#agent = secureContext === undefined ? new HttpAgent(options) : new HttpsAgent(options)
    this.#secureContext = secureContext
  }

  /** Sends one request. Never rejects. @returns the answer, or why there is none: then it may have been done. */
  exchange(
    member: EtcdMember,
    asked: Asked,
    { limit, longestBody, signal }: ExchangeLimits,
  ): Promise<HttpAnswer | { readonly why: string }> {
    return new Promise((resolve) => {
      const request = openRequest(member, asked, { secureContext: this.#secureContext, agent: this.#agent })
      const end = (answer: HttpAnswer | { readonly why: string }): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        resolve(answer)
        if ('why' in answer) request.destroy()
      }
      const onAbort = (): void => end({ why: 'not needed any more' })
      const timer = setTimeout(() => end({ why: `no answer within ${limit} ms` }), limit)
      signal?.addEventListener('abort', onAbort)
      request.on('error', (error) => end({ why: connectionReason(error) }))
      request.on('close', () => end({ why: 'the connection ended without an answer' }))
      request.on('response', (response) => {
        readBody(response, { longestBody }, (read) =>
          end('why' in read ? read : { status: response.statusCode ?? 0, body: read.text }),
        )
      })
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

/**
 * @param onEnd gets the whole text, or why there is none. It may be called again after that.
 */
export function readBody(
  response: IncomingMessage,
  { longestBody }: Pick<ExchangeLimits, 'longestBody'>,
  onEnd: (read: { readonly text: string } | { readonly why: string }) => void,
): void {
  const body = new GrowingBytes()
  response.on('data', (part: Buffer) => {
    if (body.length + part.length > longestBody) onEnd({ why: `an answer of more than ${longestBody} bytes` })
    else body.push(part)
  })
  response.on('error', (error) => onEnd({ why: connectionReason(error) }))
  response.on('end', () => onEnd({ text: body.takeText() }))
}

/** @param secureContext absent: plain TCP. */
export function openRequest(
  { host, port }: EtcdMember,
  { path, body, token }: Asked,
  {
    secureContext,
    agent,
  }: { readonly secureContext: SecureContext | undefined; readonly agent: HttpAgent | HttpsAgent },
): ReturnType<typeof requestHttp> {
  const options: RequestOptions = {
    ...{ host, port, path, method: 'POST', agent, maxHeaderSize: LONGEST_HEAD },
    headers: {
      'content-type': 'application/json',
      'content-length': `${Buffer.byteLength(body)}`,
      ...(token !== undefined && { authorization: token }),
    },
  }
  const request =
    secureContext === undefined
      ? requestHttp(options)
      : requestHttps({ ...options, ...{ secureContext, rejectUnauthorized: true } })
  request.end(body)
  return request
}
