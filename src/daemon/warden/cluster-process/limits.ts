/**
 * How much an honest cluster process says, and leaves unread. One that exceeds this is in the hands of an attacker, or
 * has failed: it would use up the warden's memory, time or log. Each limit returns what is wrong, if anything.
 */
import { TokenBucket } from '../../../token-bucket.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import type { FromCluster } from '../../link/cluster-protocol.ts'

/**
 * Messages, and changes of records in them: a list at once, and what a busy cluster writes. One knock for ten gates is
 * 11 records, which also end; for 200 gates 402 changes. A process that tells authentic records again and again takes
 * the warden 35 µs for each: a third of a core.
 */
const MESSAGES = { perSecond: 10_000, burst: 200_000 }
/** How its records are followed: a cut, a list, and the end of it come together, and then nothing for a while. */
const STATES = { perSecond: 10, burst: 200 }
/** Records that cannot be opened: each takes some 25 µs. Where a node has another secret, a whole list may be so. */
export const UNREADABLE = { perSecond: 500, burst: 200_000 }
/** Bytes that it may leave unread: many times what waits for an answer (a claim has some 80). */
const MOST_UNREAD = 16 * 1024 * 1024
/** It tells every five seconds how etcd is. */
const LONGEST_SILENCE = milliseconds(60_000)
/** Lines of the log about the state of the cluster. etcd can be lost and found some times a minute. */
export const STATE_LINES = { perSecond: 0.2, burst: 30 }

export class ClusterLimits {
  readonly #messages: TokenBucket
  readonly #states: TokenBucket
  #heardAt: Milliseconds
  #hasStarted = false

  constructor(now: Milliseconds) {
    this.#messages = new TokenBucket(MESSAGES, now)
    this.#states = new TokenBucket(STATES, now)
    this.#heardAt = now
  }

  onMessage(message: FromCluster, now: Milliseconds): string | undefined {
    const size = message.type === 'changes' ? message.changes.length : 1
    const isMore = !this.#messages.take(size, now) || (message.type === 'records' && !this.#states.take(1, now))
    if (isMore) return 'it sends more than an honest process does'
    if (message.type === 'health') this.#heardAt = now
    // Each is answered with all certificates.
    if ((message.type === 'started') === this.#hasStarted) return 'it sent an invalid message: it starts once'
    this.#hasStarted = true
    return undefined
  }

  /** @param backlog bytes that were sent to it and that it has not read. */
  onBacklog(backlog: number): string | undefined {
    return backlog <= MOST_UNREAD ? undefined : `it has not read ${backlog} bytes`
  }

  onSilence(now: Milliseconds): string | undefined {
    return now - this.#heardAt <= LONGEST_SILENCE ? undefined : 'it says nothing'
  }
}
