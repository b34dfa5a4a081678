/** What one member of etcd says without a login: version, clock and quota; and until when its certificate is good. */
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { printable } from '../bytes/text.ts'
import type { Milliseconds } from '../units.ts'
import { type EtcdTls, tlsOptions } from './call.ts'
import { connectionReason } from './connection-reason.ts'
import { GrowingBytes } from './growing-bytes.ts'
import type { EtcdMember } from './sessions.ts'

/** Bytes of the longest answer: the metrics of an etcd have some 100 000. */
const LONGEST = 2 * 1024 * 1024

export interface PlainAnswer {
  readonly text: string
  /** Seconds since 1970, by the member’s clock. */
  readonly date?: number
}

/** GET. @returns why not. */
export function getPlain(
  { host, port }: EtcdMember,
  path: string,
  tls: EtcdTls | undefined,
  limit: Milliseconds,
): Promise<PlainAnswer | { readonly why: string }> {
  return new Promise((resolve) => {
    const options = { host, port, path, method: 'GET', agent: false as const, timeout: limit }
    const request = tls === undefined ? requestHttp(options) : requestHttps({ ...options, ...tlsOptions(tls) })
    const fail = (why: string): void => {
      resolve({ why: printable(why).slice(0, 300) })
      request.destroy()
    }
    const timer = setTimeout(() => fail(`no answer within ${limit} ms`), limit)
    request.on('close', () => clearTimeout(timer))
    request.on('error', (error) => fail(connectionReason(error)))
    request.on('response', (response) => {
      readBody(response, (read) => {
        if ('why' in read) return fail(read.why)
        if (response.statusCode !== 200) return fail(`status ${response.statusCode}`)
        const date = Date.parse(response.headers.date ?? '') / 1000
        resolve({ text: read.text, ...(Number.isSafeInteger(date) && { date }) })
      })
    })
    request.end()
  })
}

/** @param onEnd gets the whole text, or why there is none. It may be called again after that. */
function readBody(
  response: IncomingMessage,
  onEnd: (read: { readonly text: string } | { readonly why: string }) => void,
): void {
  const body = new GrowingBytes()
  response.on('data', (part: Buffer) => {
    if (body.length + part.length > LONGEST) onEnd({ why: `an answer of more than ${LONGEST} bytes` })
    else body.push(part)
  })
  response.on('error', (error) => onEnd({ why: connectionReason(error) }))
  response.on('end', () => onEnd({ text: body.takeText() }))
}

/**
 * The end of the certificate that a member shows. Also of one that is not good any more: the date is told, and nothing
 * is believed because of it.
 * @returns seconds since 1970; undefined where no certificate is shown.
 */
export function certificateEnd(
  { host, port }: EtcdMember,
  tls: EtcdTls,
  limit: Milliseconds,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const name = isIP(host) === 0 ? { servername: host } : {}
    const socket = connectTls({ host, port, ...name, ...tlsOptions(tls), rejectUnauthorized: false })
    const end = (until: number | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(until)
    }
    const timer = setTimeout(() => end(undefined), limit)
    socket.on('error', () => end(undefined))
    socket.on('secureConnect', () => {
      const until = Math.floor(Date.parse(socket.getPeerCertificate().valid_to) / 1000)
      end(Number.isSafeInteger(until) ? until : undefined)
    })
  })
}
