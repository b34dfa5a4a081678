/** One try to deliver a message: no redirect is followed, and nothing of the answer counts but its status. */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Tried } from '../../commands/delivery-queue.ts'
import { explainTls } from '../../delivery/explain-tls.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { Post } from '../link/sender-protocol.ts'

const POST_TIME = milliseconds(10_000)
/** Answers that may be better later: RFC 9110 § 15.5.9, RFC 6585 § 4. */
const LATER: readonly number[] = [408, 425, 429]
const OTHER_AUTHORITIES = 'WEBHOOK_CA_FILE names others'

/** Whose certificates count. Empty: the list of Node.js. */
export interface Believed {
  readonly secureContext?: SecureContext
}

/** @param authorities as PEM. No others count. */
export function believe(authorities: string): Believed {
  return { secureContext: createSecureContext({ ca: authorities, minVersion: 'TLSv1.2' }) }
}

/** Never rejects. @param limit for the whole try, with the name, the handshake and the first line of the answer. */
export function post(
  { url, message: { headers, body } }: Pick<Post, 'url' | 'message'>,
  believed: Believed = {},
  limit: Milliseconds = POST_TIME,
): Promise<Tried> {
  return new Promise((resolve) => {
    const fail = (why: string): void => resolve({ how: 'failed', why: why.slice(0, 300) })
    try {
      const { hostname: name } = new URL(url)
      const send = url.startsWith('https:') ? requestHttps : requestHttp
      const asked = send(url, {
        method: 'POST',
        headers: { ...headers, 'content-length': `${Buffer.byteLength(body)}` },
        agent: false,
        ...believed,
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        timeout: limit,
        signal: AbortSignal.timeout(limit),
      })
      asked.once('response', (answer) => {
        const status = answer.statusCode ?? 0
        answer.on('error', () => {})
        answer.destroy()
        if (status >= 200 && status < 300) resolve({ how: 'delivered' })
        else if (status >= 500 || LATER.includes(status)) fail(`the server answered ${status}`)
        else resolve({ how: 'final', why: `the server answered ${status}` })
      })
      asked.on('timeout', () => asked.destroy(new Error('the server did not answer')))
      asked.on('error', (error: NodeJS.ErrnoException) =>
        fail(explainTls(error.code ?? '', name, OTHER_AUTHORITIES) ?? error.message),
      )
      // An answer of 101, for one, ends the connection without an answer and without an error.
      asked.once('close', () => fail('the connection ended without an answer'))
      asked.end(body)
    } catch (error) {
      resolve({ how: 'final', why: (error as Error).message.slice(0, 300) })
    }
  })
}
