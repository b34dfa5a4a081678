/**
 * A log that passes on what it gets, and tells hooks of grants, refusals and ends. Admission waits for none of this: a
 * message to the executor is all that happens here.
 */
import { monotonic } from '../../clock.ts'
import type { Log, LogField, LogLevel } from '../../log.ts'
import { TokenBucket } from '../../token-bucket.ts'
import { type Milliseconds, milliseconds, seconds } from '../../units.ts'
import type { HookEvent } from '../link/hook-event.ts'

type Fields = { readonly [name: string]: LogField }

/** Refusals that are told. Anybody can cause them, with a packet that was recorded. */
const REFUSALS = { perSecond: 1, burst: 5 }
/** Those of one stanza: so many packets of one do not hide those of another. */
const REFUSALS_OF_STANZA = { perSecond: 0.5, burst: 3 }
/** Beyond these: of stanzas of which none was told for this long. So two stanzas do not hide those of a third. */
const QUIET_TIME = milliseconds(10_000)
const REFUSALS_OF_QUIET = { perSecond: 1, burst: 5 }

export class HookTap implements Log {
  readonly #log: Log
  readonly #tell: (event: HookEvent) => void
  readonly #now: () => Milliseconds
  readonly #refusals: TokenBucket
  /** By number of the stanza. */
  readonly #ofStanza = new Map<LogField, { readonly bucket: TokenBucket; toldAt: Milliseconds | undefined }>()
  readonly #quiet: TokenBucket
  #untold = 0

  constructor(log: Log, tell: (event: HookEvent) => void, now: () => Milliseconds = monotonic) {
    this.#log = log
    this.#tell = tell
    this.#now = now
    this.#refusals = new TokenBucket(REFUSALS, now())
    this.#quiet = new TokenBucket(REFUSALS_OF_QUIET, now())
  }

  write(level: LogLevel, event: string, fields: Fields = {}): void {
    // The end of a grant is no line of this log: the kernel ends it, and `until` was in the line of the grant.
    if (event !== 'grant expired') this.#log.write(level, event, fields)
    const made = this.#eventOf(event, fields)
    if (made !== undefined) this.#tell({ ...made, time: new Date().toISOString() })
  }

  #eventOf(event: string, fields: Fields): Omit<HookEvent, 'time'> | undefined {
    switch (event) {
      case 'knock':
        // A closing knock opens nothing. Each grant that it ended has its own line.
        if (fields['closes'] !== undefined) return undefined
        return fields['verdict'] === 'granted' ? granted(fields) : this.#refused(fields)
      // Of another node.
      case 'gate':
        if (fields['verdict'] === 'granted') return { ...granted(fields), ...nodeOf(fields) }
        return fields['verdict'] === 'refused' ? this.#refused(fields) : undefined
      case 'refused':
        // Without a stanza, no key came near: noise of the network.
        return fields['stanza'] === undefined ? undefined : this.#refused(fields)
      case 'grant expired':
        return { event: 'expiry', ...common(fields), ...openOf(fields['grant']) }
      case 'grant ended':
        return {
          ...{ event: 'expiry', ...common(fields), ...openOf(fields['grant']), ...texts(fields, ['detail']) },
          ...nodeOf(fields),
        }
      case 'cycle':
        return fields['cycle'] === 'closed' || fields['cycle'] === 'not closed'
          ? { event: 'expiry', ...common(fields), ...openOf(fields['open']), ...becauseOf(fields['because']) }
          : undefined
      default:
        return undefined
    }
  }

  #refused(fields: Fields): Omit<HookEvent, 'time'> | undefined {
    const now = this.#now()
    const { stanza } = fields
    const own = this.#ofStanza.get(stanza) ?? { bucket: new TokenBucket(REFUSALS_OF_STANZA, now), toldAt: undefined }
    this.#ofStanza.set(stanza, own)
    const isQuiet = own.toldAt === undefined || now - own.toldAt >= QUIET_TIME
    const mayTell = own.bucket.take(1, now) && (this.#refusals.take(1, now) || (isQuiet && this.#quiet.take(1, now)))
    if (!mayTell) {
      this.#untold++
      return undefined
    }
    own.toldAt = now
    const untold = this.#untold
    this.#untold = 0
    return { event: 'refusal', ...common(fields), ...texts(fields, ['code', 'detail']), ...nodeOf(fields), untold }
  }
}

function granted(fields: Fields): Omit<HookEvent, 'time'> {
  const { lifetime } = fields
  return {
    event: 'grant',
    ...common(fields),
    ...openOf(fields['grant'] ?? fields['cycle']),
    ...texts(fields, ['command']),
    ...(typeof lifetime === 'number' && { seconds: seconds(lifetime) }),
  }
}

function common(fields: Fields): Omit<HookEvent, 'time' | 'event'> {
  const { stanza } = fields
  return {
    ...(typeof stanza === 'number' && { stanza }),
    ...(typeof stanza === 'string' && { name: stanza }),
    ...texts(fields, ['name', 'user', 'for', 'source']),
  }
}

/** The other node of the cluster that did it. */
function nodeOf({ by }: Fields): Pick<HookEvent, 'node'> {
  return typeof by === 'string' ? { node: by } : {}
}

/** The longest field of an event, and the most openings: the executor reads no more (link/hook-event.ts). */
const LONGEST = 1000
const MOST_OPENINGS = 100

function texts(fields: Fields, names: readonly ('name' | 'user' | 'for' | 'source' | 'command' | 'code' | 'detail')[]) {
  const found = names.flatMap((name) => {
    const value = fields[name]
    return typeof value === 'string' ? [[name, value.slice(0, LONGEST)] as const] : []
  })
  return Object.fromEntries(found) as { [Name in (typeof names)[number]]?: string }
}

/** Why a close came early. */
function becauseOf(because: LogField): Pick<HookEvent, 'detail'> {
  return typeof because === 'string' ? { detail: because.slice(0, LONGEST) } : {}
}

function openOf(openings: LogField): Pick<HookEvent, 'open'> {
  if (typeof openings !== 'string') return {}
  // A way through a gateway names all its targets, and NAT_TARGETS may have many.
  return {
    open: openings
      .split(',')
      .slice(0, MOST_OPENINGS)
      .map((opening) => opening.slice(0, LONGEST)),
  }
}
