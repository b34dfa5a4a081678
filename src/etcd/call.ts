/**
 * One request to one member of an etcd cluster, by the JSON gateway that each member has (`/v3/…`). Nothing is sent a
 * second time here.
 */
import { Agent as HttpAgent, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { createSecureContext } from 'node:tls'
import { jsonLine, printable } from '../bytes/text.ts'
import { integer, type Reader, record, text } from '../json-reader.ts'
import type { Milliseconds, Port } from '../units.ts'

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

/** What a member answers instead: the status of gRPC, as JSON. */
const readError: Reader<{ readonly code: number; readonly message: string }> = (value) => {
  const { code, message } = (value ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  return errorFields({ code, message })
}
const errorFields = record({ code: integer({ min: 1, max: 99 }), message: text({ max: 10_000 }) }, {})

export interface EtcdCalls {
  /** Never rejects. @param path such as `/v3/kv/txn`. */
  call(member: EtcdMember, path: string, body: unknown, options: CallOptions): Promise<EtcdAnswer>
  close(): void
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
  return {
    call: ({ host, port }, path, body, { limit, token, signal }) =>
      new Promise((resolve) => {
        const text = jsonLine(body)
        const request = send({
          ...{ host, port, path, method: 'POST', agent },
          headers: {
            'content-type': 'application/json',
            'content-length': `${Buffer.byteLength(text)}`,
            ...(token !== undefined && { authorization: token }),
          },
          ...(secureContext !== undefined && { secureContext, rejectUnauthorized: true }),
        })
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
        request.end(text)
      }),
    close: () => agent.destroy(),
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
