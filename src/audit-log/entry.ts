/**
 * One line of the audit log: what somebody did to the policy of this server, and the hash of the line before. A
 * line that is changed, removed or inserted breaks the chain at that place (docs/AUDIT.md).
 */
import { createHash } from 'node:crypto'
import { jsonLine, showText } from '../bytes/text.ts'
import { either, integer, list, literal, mapped, type RecordOf, record, text } from '../json-reader.ts'

/** Hexadecimal of the SHA-256 of a line, without its line feed. The first line names {@link NO_LINE}. */
export type LineHash = string
export const NO_LINE: LineHash = '0'.repeat(64)

const MOST_CHANGES = 200
const LONGEST_TEXT = 400

const short = text({ max: LONGEST_TEXT })
const hash = mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined))
const time = mapped(text({ max: 24 }), (read) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(read) && !Number.isNaN(Date.parse(read)) ? read : undefined,
)
const uid = integer({ min: 0, max: 0xffff_ffff })
const changes = list(short, { min: 0, max: MOST_CHANGES + 1 })

/** How somebody asked for it. */
export const WAYS_IN = ['command', 'control socket', 'console', 'signal', 'server'] as const

const by = record(
  { via: either(...WAYS_IN.map((word) => literal(word))) },
  {
    /** By the kernel's word. */
    uid,
    loginUid: uid,
    /** Who logged in to the console, by its word. */
    name: short,
    /** A terminal, or an address: what the process says of itself. */
    from: short,
  },
)

const event = {
  by,
  /** Such as `user add`. */
  did: short,
}
const eventDetails = {
  /** Whom or what: a user, a grant, an address. */
  to: short,
  /** Lines of the configuration that went, and that came. Never a key. */
  before: changes,
  after: changes,
  note: short,
}

const readEntry = record({ seq: integer({ min: 1, max: 2 ** 48 }), time, prev: hash, ...event }, eventDetails)

/** Who did it. */
export type AuditActor = NonNullable<ReturnType<typeof by>>
/** What is to be recorded. */
export type AuditEvent = RecordOf<typeof event, typeof eventDetails>
/** What a line says. */
export type AuditEntry = NonNullable<ReturnType<typeof readEntry>>

/** The last line: how many there are, and its hash. */
export interface AuditHead {
  readonly seq: number
  readonly hash: LineHash
}

export function hashOf(line: string): LineHash {
  return createHash('sha256').update(line).digest('hex')
}

/** @returns the line after `head`, without a line feed. Texts and lists are cut to what a reader takes. */
export function formatEntry(head: AuditHead, at: Date, recorded: AuditEvent): string {
  const entry = { seq: head.seq + 1, time: at.toISOString(), prev: head.hash, ...shortened(recorded) }
  return jsonLine(entry)
}

/** @returns undefined for a line that no ghostport of this version wrote. Never throws. */
export function parseEntry(line: string): AuditEntry | undefined {
  try {
    return readEntry(JSON.parse(line))
  } catch {
    return undefined
  }
}

/** Never longer than can be read back. */
function shortened(recorded: AuditEvent): AuditEvent {
  const cut = (words: string): string => {
    const whole = showText(words)
    return whole.length > LONGEST_TEXT ? `${showText(whole.slice(0, LONGEST_TEXT - 2))}…` : whole
  }
  const cutAll = (lines: readonly string[]): readonly string[] => {
    const more = lines.length - MOST_CHANGES
    return more > 0 ? [...lines.slice(0, MOST_CHANGES).map(cut), `… ${more} more`] : lines.map(cut)
  }
  const { by: who, did, to, before, after, note } = recorded
  return {
    by: {
      ...who,
      ...(who.name !== undefined && { name: cut(who.name) }),
      ...(who.from !== undefined && { from: cut(who.from) }),
    },
    did: cut(did),
    ...(to !== undefined && { to: cut(to) }),
    ...(before !== undefined && { before: cutAll(before) }),
    ...(after !== undefined && { after: cutAll(after) }),
    ...(note !== undefined && { note: cut(note) }),
  }
}

const readConsoleActor = record({ name: short }, { from: short })

/** Who asked at the console. @returns undefined for what is no such text. Never throws. */
export function parseConsoleActor(given: string): { readonly name: string; readonly from?: string } | undefined {
  try {
    return readConsoleActor(JSON.parse(given))
  } catch {
    return undefined
  }
}
