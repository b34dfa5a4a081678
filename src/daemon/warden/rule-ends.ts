/**
 * Tells the end of each grant, for hooks, and as fwknopd does when it removes a rule: `grant expired`. The kernel ends
 * a grant by itself, so nobody else has a reason to wait for it. This is a log that passes on what it gets, and notes
 * the grants. Before it tells an end, it asks the firewall whether the grant is gone. When the server stops, nobody can
 * be asked any more: what has ended by the clock is told.
 */
import type { Log, LogField, LogLevel } from '../../log.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'

/** What is open, by {@link nameOf}. Undefined if that cannot be asked now. */
export type LiveGrants = () => Promise<ReadonlySet<string> | undefined>

/** The kernel ends a rule within a second. */
const SLACK = milliseconds(1200)
const ASK_AGAIN_AFTER = milliseconds(1000)
/** The longest wait of a timer of Node.js. */
const LONGEST_WAIT = milliseconds(2_000_000_000)

interface Noted {
  readonly fields: { readonly [name: string]: LogField }
  /** Seconds since 1970. */
  readonly until: number
}

/** A grant as the log names it: whom it is for, and its openings. */
export function nameOf(source: string, openings: string): string {
  return `${source} ${openings}`
}

/** Of a knock here, or of another node of the cluster. */
export function isGrant(event: string, { verdict, grant }: { readonly [name: string]: LogField }): boolean {
  return (event === 'knock' || event === 'gate') && verdict === 'granted' && grant !== undefined
}

export class RuleEnds implements Log {
  readonly #log: Log
  readonly #now: () => Milliseconds
  readonly #marksRenewals: boolean
  readonly #grants = new Map<string, Noted>()
  #live: LiveGrants | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param now milliseconds since 1970.
   * @param options `marksRenewals`: a grant that was live already is passed on with `renewed`.
   */
  constructor(
    log: Log,
    now: () => Milliseconds = () => milliseconds(Date.now()),
    { marksRenewals = false }: { readonly marksRenewals?: boolean } = {},
  ) {
    this.#log = log
    this.#marksRenewals = marksRenewals
    this.#now = now
  }

  /** Until this is called, no end is told. */
  begin(live: LiveGrants): void {
    this.#live = live
    this.#wait()
  }

  /** The firewall is made anew: what is still open is found again. */
  forget(): void {
    this.#grants.clear()
    clearTimeout(this.#timer)
  }

  write(level: LogLevel, event: string, fields: { readonly [name: string]: LogField } = {}): void {
    if (event === 'stopping') this.#leave()
    this.#log.write(level, event, this.#isRenewal(event, fields) ? { ...fields, renewed: true } : fields)
    if (fields['dryRun'] === true || typeof fields['grant'] !== 'string' || typeof fields['for'] !== 'string') return
    const name = nameOf(fields['for'], fields['grant'])
    const lasts =
      event === 'grant found'
        ? Number(fields['secondsLeft'])
        : isGrant(event, fields)
          ? Number(fields['lifetime'])
          : undefined
    if (event === 'grant ended') this.#grants.delete(name)
    if (lasts === undefined) return
    const until = Math.ceil(this.#now() / 1000) + lasts
    const before = this.#grants.get(name)
    // To open a grant again never makes it end sooner.
    if (before === undefined || before.until < until) this.#grants.set(name, { fields, until })
    this.#wait()
  }

  #isRenewal(event: string, fields: { readonly [name: string]: LogField }): boolean {
    if (!this.#marksRenewals || !isGrant(event, fields)) return false
    const before = this.#grants.get(nameOf(String(fields['for']), String(fields['grant'])))
    return before !== undefined && before.until * 1000 > this.#now()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#live === undefined || this.#grants.size === 0) return
    let soonest = Number.POSITIVE_INFINITY
    for (const { until } of this.#grants.values()) soonest = Math.min(soonest, until)
    const wait = Math.min(LONGEST_WAIT, Math.max(0, soonest * 1000 + SLACK - this.#now()))
    this.#timer = setTimeout(() => void this.#tell(), wait).unref()
  }

  async #tell(): Promise<void> {
    const ended = [...this.#grants].filter(([, { until }]) => until * 1000 + SLACK <= this.#now())
    const live = ended.length === 0 ? undefined : await this.#live?.()
    for (const [key, noted] of ended) {
      // It was opened again meanwhile, or is still there.
      if (this.#grants.get(key) === noted && live?.has(key) === false) this.#tellEnd(key, noted)
    }
    if (ended.some(([name, noted]) => this.#grants.get(name) === noted))
      this.#timer = setTimeout(() => void this.#tell(), ASK_AGAIN_AFTER).unref()
    else this.#wait()
  }

  #leave(): void {
    for (const [key, noted] of [...this.#grants]) if (noted.until * 1000 <= this.#now()) this.#tellEnd(key, noted)
    clearTimeout(this.#timer)
  }

  #tellEnd(key: string, { fields, until }: Noted): void {
    this.#grants.delete(key)
    const { grant, for: source, stanza, name, user } = fields
    this.#log.write('info', 'grant expired', {
      ...{ grant, for: source, until },
      ...(stanza !== undefined && { stanza }),
      ...(name !== undefined && { name }),
      ...(user !== undefined && { user }),
    })
  }
}
