/**
 * A process that has just started is slow: V8 has not compiled its code yet. So it asks etcd for something that changes
 * nothing, in the form of a claim, until that code is compiled (system/v8-options.ts). Otherwise the first hundreds
 * of knocks would each wait a millisecond longer; that is days where few people knock.
 */
import { type Milliseconds, milliseconds } from '../units.ts'
import { closedKey, encoded } from './claim-txn.ts'
import type { Etcd } from './etcd.ts'

/** One after the other: 0.2 s, of the process and of one member. */
const REQUESTS = 200
/** Less than what makes a request late (etcd.ts): claims have that way for themselves. */
const LIMIT: Milliseconds = milliseconds(250)
const SLOW: Milliseconds = milliseconds(100)

/**
 * Ends early if etcd does not answer well and soon: it has other things to do. Never rejects.
 * @param cluster its name.
 */
export async function warmUp(etcd: Pick<Etcd, 'ask'>, cluster: string): Promise<void> {
  // No quorum is needed for it: the member that is asked answers by itself.
  const range = { request_range: { key: encoded(closedKey(cluster)), serializable: true } }
  for (let i = 0; i < REQUESTS; i++) {
    const began = performance.now()
    const answer = await etcd.ask('KV/Txn', { success: [range, range] }, LIMIT)
    if (answer.kind !== 'answer' || performance.now() - began > SLOW) return
  }
}
