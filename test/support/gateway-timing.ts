/** How long a gateway takes to answer knocks of several kinds, in turn over one connection. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { Agent, request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../contract/delivery.ts'
import { localGateway } from './gateway.ts'
import { sealedPacket } from './sealed.ts'

/** A packet for a target that is there, for one that is not, and for one whose name cannot be looked up. */
export const KINDS = ['office', 'nobody', 'gone'] as const
export type Kind = (typeof KINDS)[number]

/**
 * @param rounds how many answers of each kind. The kinds take turns, in another order each time.
 * @returns milliseconds from a whole request to its whole answer.
 */
export async function answerTimes(rounds: number): Promise<Readonly<Record<Kind, readonly number[]>>> {
  // A real target is another host. This one holds the port, and is stopped: it takes no processor from the gateway.
  const at = await freePort()
  const sink = spawn('socat', ['-u', `UDP4-RECV:${at},bind=127.0.0.1,reuseaddr`, 'OPEN:/dev/null'], { stdio: 'ignore' })
  await using local = await localGateway([
    `TARGET office 127.0.0.1:${at}`,
    'TARGET gone no-such-host.invalid',
    'KNOCKS_PER_SOURCE 1000000',
    'KNOCKS_PER_TARGET 100000',
    'KNOCKS_IN_TOTAL 100000',
  ])
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  try {
    await delay(500)
    sink.kill('SIGSTOP')
    const packet = sealedPacket()
    const knock = (kind: Kind): Promise<number> => {
      const body = JSON.stringify({ target: kind, packet })
      return new Promise((resolve, reject) => {
        const asking = request(
          {
            ...{ agent, host: '127.0.0.1', port: local.port, method: 'POST', path: '/v1/knock' },
            headers: { host: 'gate.example', 'content-type': 'application/json', 'content-length': body.length },
          },
          (answer) => {
            assert.equal(answer.statusCode, 202)
            answer.resume().on('end', () => resolve(performance.now() - began))
          },
        )
        asking.on('error', reject)
        const began = performance.now()
        asking.end(body)
      })
    }
    const times: Record<Kind, number[]> = { office: [], nobody: [], gone: [] }
    for (let i = 0; i < 20; i++) for (const kind of KINDS) await knock(kind)
    for (let i = 0; i < rounds; i++)
      for (const kind of KINDS.toSorted(() => Math.random() - 0.5)) times[kind].push(await knock(kind))
    return times
  } finally {
    agent.destroy()
    sink.kill('SIGKILL')
  }
}
