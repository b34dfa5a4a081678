/**
 * Keeps the findings about the host's own rules current, and logs new and cured ones. The rules are read again when the
 * kernel reports a change, and for each status, because the kernel does not report changes of iptables-legacy.
 *
 * Only when it is quiet: libnftables reads all anew when a rule changes meanwhile, and nothing else happens in this
 * process until it is done. With thousands of rules, and a program that changes some again and again, knocks would
 * wait.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Finding } from '../../firewall/host/findings.ts'
import { failureFields, type Log } from '../../log.ts'
import type { Failure, Result } from '../../result.ts'
import { milliseconds } from '../../units.ts'

/** The least time between two looks: a reload of the host's rules is many changes. */
const LOOK_INTERVAL = milliseconds(1000)
/** Reading a large ruleset may take this share of the time at most. */
const SHARE = 20
/** How long no rule may have changed before a look begins. */
const QUIET_TIME = milliseconds(700)
/** How long a status waits for fresh findings. */
const FRESH_ANSWER_TIME = milliseconds(1000)

export class HostWatch {
  readonly #look: () => Promise<Result<readonly Finding[]>>
  readonly #log: Log
  #known: readonly Finding[] = []
  #failure: Failure | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  /** On the monotonic clock: before this, nothing is read again. */
  #notBefore = 0
  #lastChange = Number.NEGATIVE_INFINITY
  #again = false
  #closed = false

  /** @param look reads and judges. */
  constructor(look: () => Promise<Result<readonly Finding[]>>, log: Log) {
    this.#look = look
    this.#log = log
  }

  /** Something that the judgement depends on has changed, or may have changed. */
  changed(after = LOOK_INTERVAL): void {
    if (this.#closed) return
    if (this.#looking !== undefined) this.#again = true
    else this.#timer ??= setTimeout(() => this.#whenQuiet(), Math.max(after, this.#notBefore - performance.now()))
  }

  /** A rule of the host was changed, by whomever. */
  unrest(): void {
    this.#lastChange = performance.now()
  }

  get #untilQuiet(): number {
    return this.#lastChange + QUIET_TIME - performance.now()
  }

  #whenQuiet(): void {
    const wait = this.#untilQuiet
    if (wait <= 0) void this.#refresh()
    else this.#timer = setTimeout(() => this.#whenQuiet(), wait)
  }

  /** The current findings; the latest known ones if reading takes long. */
  async current(): Promise<readonly Finding[]> {
    if (this.#looking === undefined && performance.now() >= this.#notBefore && this.#untilQuiet <= 0)
      void this.#refresh()
    if (this.#looking !== undefined)
      await Promise.race([this.#looking, delay(FRESH_ANSWER_TIME, undefined, { ref: false })])
    return this.#known
  }

  /** The latest findings. */
  get known(): readonly Finding[] {
    return this.#known
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #refresh(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#again = false
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined
      if (this.#again) this.changed()
    })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const began = performance.now()
    const found = await this.#look()
    const ended = performance.now()
    this.#notBefore = ended + Math.max(LOOK_INTERVAL, SHARE * (ended - began))
    if (this.#closed) return
    if (!found.ok) {
      if (this.#failure?.detail !== found.failure.detail)
        this.#log.write('warning', 'host firewall not read', failureFields(found.failure))
      this.#failure = found.failure
      return
    }
    this.#failure = undefined
    const before = this.#known
    this.#known = found.value
    for (const { code, level, text, cure } of missingFrom(before, found.value))
      this.#log.write(level, 'host firewall', { code, text, ...(cure !== undefined && { cure }) })
    for (const { code, text } of missingFrom(found.value, before))
      this.#log.write('info', 'host firewall mended', { code, text })
  }
}

function missingFrom(known: readonly Finding[], found: readonly Finding[]): readonly Finding[] {
  const texts = new Set(known.map(({ code, text }) => `${code} ${text}`))
  return found.filter(({ code, text }) => !texts.has(`${code} ${text}`))
}
