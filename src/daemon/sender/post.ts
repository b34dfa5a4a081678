/** One try to deliver a message: no redirect is followed, and nothing of the answer counts but its status. */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Tried } from '../../commands/delivery-queue.ts'
import { milliseconds } from '../../units.ts'
import type { ToSender } from '../link/sender-protocol.ts'

/** For a try in all, and for silence within it. */
const POST_TIME = milliseconds(10_000)
/** Answers that may be better later: RFC 9110 § 15.5.9, RFC 6585 § 4. */
const LATER: readonly number[] = [408, 425, 429]

/** Never rejects. */
export function post({ url, message: { headers, body } }: ToSender): Promise<Tried> {
  return new Promise((resolve) => {
    const fail = (why: string): void => resolve({ how: 'failed', why: why.slice(0, 300) })
    try {
      const send = url.startsWith('https:') ? requestHttps : requestHttp
      const asked = send(url, {
        method: 'POST',
        headers: { ...headers, 'content-length': `${Buffer.byteLength(body)}` },
        agent: false,
        timeout: POST_TIME,
        signal: AbortSignal.timeout(POST_TIME),
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
      asked.on('error', (error) => fail(error.message))
      asked.end(body)
    } catch (error) {
      resolve({ how: 'final', why: (error as Error).message.slice(0, 300) })
    }
  })
}
