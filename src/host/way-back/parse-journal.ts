/** Reads `changes.json` strictly: what it says is done as root. */
import { either, integer, list, literal, type Reader, record } from '../../json-reader.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Change, Inverse } from './inverse.ts'

/** More than any command of ours makes. */
const MOST_CHANGES = 10_000
const MOST_WORDS = 1000

const word: Reader<string> = (value) => (typeof value === 'string' && !value.includes('\0') ? value : undefined)
const path: Reader<string> = (value) => (word(value)?.startsWith('/') ? (value as string) : undefined)
const hash: Reader<string> = (value) => (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : undefined)
const argv: Reader<readonly [string, ...string[]]> = (value) => {
  const [program, ...args] = list(word, { min: 1, max: MOST_WORDS })(value) ?? []
  return program === undefined || program === '' ? undefined : [program, ...args]
}
const yes: Reader<true> = (value) => (value === true ? true : undefined)

const inverse: Reader<Inverse> = either(
  record({ kind: literal('file'), path, wrote: hash }, { copy: path }),
  record({ kind: literal('folder'), path }, {}),
  record({ kind: literal('run'), argv }, { mayFail: yes }),
)
const change: Reader<Change> = record({ what: word, inverse }, {})
const version: Reader<1> = (value) => (value === 1 ? 1 : undefined)
const journal = record(
  { version, confirmed: integer({ min: 0, max: MOST_CHANGES }), changes: list(change, { min: 0, max: MOST_CHANGES }) },
  {},
)

export interface JournalText {
  /** In the order in which they were made. */
  readonly changes: readonly Change[]
  /** How many of them, from the first on, were confirmed. */
  readonly confirmed: number
}

/** @returns CONFIG_UNREADABLE if it is anything but what we write. */
export function parseJournal(text: string): Result<JournalText, Failure<'CONFIG_UNREADABLE'>> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse('CONFIG_UNREADABLE', 'it is no JSON')
  }
  const read = journal(json)
  return read === undefined || read.confirmed > read.changes.length
    ? refuse('CONFIG_UNREADABLE', 'it is damaged, or of another version of ghostport')
    : ok({ changes: read.changes, confirmed: read.confirmed })
}
