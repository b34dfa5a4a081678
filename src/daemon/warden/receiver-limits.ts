/**
 * How much an honest receiver can send, and leave unread. A receiver that exceeds this is hostile, and would use up the
 * warden's memory or time. Each limit returns what is wrong, if anything.
 */
import type { Failure } from '../../result.ts'
import { type Rate, TokenBucket } from '../../token-bucket.ts'
import type { Milliseconds } from '../../units.ts'

/** Bytes that an honest receiver may leave unread: the answers to some 20 000 knocks. */
const MOST_UNREAD = 1024 * 1024
/** An honest receiver never has this many knocks waiting. */
const MOST_WAITING = 100_000
/**
 * Messages other than knocks that are accepted per second, and seconds of them that may come at once. An honest
 * receiver reports refusals up to LOG_LIMIT, and twice that at once. It sends its counts 20 times per second. Its
 * answers are counted separately.
 */
const MOST_MESSAGES = { perSecond: 100, ofLogLimit: 2, atOnce: 20 }

export class ReceiverLimits {
  #refusalsPerSecond: number
  /** How much more the receiver may send. */
  #allowance: TokenBucket
  /** Bytes of configurations that were sent to the receiver, and that it may still have to read. */
  #unreadConfiguration = 0

  /** @param refusalsPerSecond LOG_LIMIT. */
  constructor(refusalsPerSecond: number, now: Milliseconds) {
    this.#refusalsPerSecond = refusalsPerSecond
    this.#allowance = new TokenBucket(messageRate(refusalsPerSecond), now)
  }

  /** Another receiver starts. */
  reset(now: Milliseconds): void {
    this.#allowance = new TokenBucket(messageRate(this.#refusalsPerSecond), now)
    this.#unreadConfiguration = 0
  }

  /** Allows this many answers. */
  allowAnswers(count: number): void {
    this.#allowance.give(count)
  }

  /** For this time nothing was read from it: what it sent meanwhile comes at once. */
  heldUp(time: number): void {
    this.#allowance.give((time / 1000) * messageRate(this.#refusalsPerSecond).perSecond)
  }

  /** A configuration was sent. @param bytes that it has not read yet. */
  configurationSent(bytes: number): void {
    this.#unreadConfiguration += bytes
    // Its answer, and its refusals under the old limit and under the new one.
    this.allowAnswers(2 + MOST_MESSAGES.ofLogLimit * this.#refusalsPerSecond)
  }

  /** The receiver has read all configurations, and works under the last one. @param refusalsPerSecond its LOG_LIMIT. */
  configurationRead(refusalsPerSecond: number): void {
    this.#unreadConfiguration = 0
    this.#refusalsPerSecond = refusalsPerSecond
    this.#allowance.change(messageRate(refusalsPerSecond))
  }

  /** A message other than a knock. */
  onMessage(now: Milliseconds): Failure | undefined {
    return this.#allowance.take(1, now) ? undefined : hostile('it sends more messages than an honest receiver does')
  }

  /** @param count of waiting knocks, including those that just arrived. */
  onKnocks(count: number): Failure | undefined {
    return count <= MOST_WAITING ? undefined : hostile(`more than ${MOST_WAITING} knocks at once`)
  }

  /** @param backlog bytes that were sent to it and that it has not read. */
  onBacklog(backlog: number): Failure | undefined {
    const most = MOST_UNREAD + this.#unreadConfiguration
    return backlog <= most ? undefined : hostile(`it has not read ${backlog} bytes`)
  }
}

function messageRate(refusalsPerSecond: number): Rate {
  const perSecond = MOST_MESSAGES.perSecond + MOST_MESSAGES.ofLogLimit * refusalsPerSecond
  return { perSecond, burst: MOST_MESSAGES.atOnce * perSecond }
}

function hostile(detail: string): Failure {
  return { code: 'WARDEN_PROTOCOL', detail }
}
