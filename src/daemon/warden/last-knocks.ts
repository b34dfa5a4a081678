/**
 * Who knocked last, on the disk: an administrator who asks for a user’s last knock means the last, and not that since
 * the last restart. The file is written at the stop of the server, and every few minutes if something changed. After a
 * crash, it may lack the last of them. It decides nothing.
 */
import { statSync } from 'node:fs'
import { parseStanzaName } from '../../access/stanza-name.ts'
import { type FailureCode, failureKinds } from '../../failure-codes.ts'
import { list, literal, mapped, parsed, printableAscii, type Reader, record } from '../../json-reader.ts'
import type { Log } from '../../log.ts'
import { fileReason } from '../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../system/server-file.ts'
import { systemPath } from '../../system/system-path.ts'
import { milliseconds } from '../../units.ts'
import { MOST_USES, type StanzaUse } from './journal.ts'

/** The part of the journal that is kept. */
export interface KnownUses {
  uses(): Readonly<Record<string, StanzaUse>>
  /** How often they changed. */
  readonly useChanges: number
  rememberUses(uses: Readonly<Record<string, StanzaUse>>): void
}

const PAUSE = milliseconds(5 * 60_000)
const MOST_BYTES = 16 << 20

const time = mapped(printableAscii({ max: 30 }), (read) =>
  /^\d{4}-\d\d-\d\dT[0-9:.]+Z$/.test(read) && !Number.isNaN(Date.parse(read)) ? read : undefined,
)
const code: Reader<FailureCode> = (value) =>
  typeof value === 'string' && Object.hasOwn(failureKinds, value) ? (value as FailureCode) : undefined
const use = record({ name: parsed(parseStanzaName), time, source: printableAscii({ max: 64 }) }, { code })
const readFile = record({ version: literal('1'), since: time, uses: list(use, { min: 0, max: MOST_USES }) }, {})

export class LastKnocks {
  /** Since when knocks are known: RFC 3339. */
  since: string
  readonly #path: string
  readonly #journal: KnownUses
  /** Names that are still those of stanzas. */
  readonly #isKnown: () => ReadonlySet<string>
  readonly #log: Log
  #saved = 0
  #failed = false
  #timer: NodeJS.Timeout | undefined

  /** @param now RFC 3339. */
  constructor(path: string, journal: KnownUses, isKnown: () => ReadonlySet<string>, log: Log, now: string) {
    this.#path = path
    this.#journal = journal
    this.#isKnown = isKnown
    this.#log = log
    this.since = now
  }

  /** Reads the file. If it cannot be used, that is logged, and nothing is known. */
  begin(): void {
    try {
      const size = statSync(systemPath(this.#path), { throwIfNoEntry: false })?.size
      if (size !== undefined) this.#read(Math.min(size + 1, MOST_BYTES))
    } catch (error) {
      this.#complain(fileReason(error))
    }
    this.#saved = this.#journal.useChanges
    this.#timer = setInterval(() => this.save(), PAUSE)
    this.#timer.unref()
  }

  #read(most: number): void {
    const found = readServerFile(this.#path, most)
    if (!found.ok) {
      this.#complain(found.failure.detail)
      return
    }
    let value: unknown
    try {
      value = JSON.parse(found.value ?? '')
    } catch {
      // Judged below.
    }
    const read = readFile(value)
    if (read === undefined) {
      this.#complain('it is damaged, and is written anew')
      return
    }
    this.since = read.since
    this.#journal.rememberUses(Object.fromEntries(read.uses.map(({ name, ...one }) => [name, one])))
  }

  /** Writes the file if something changed. */
  save(): void {
    const { useChanges } = this.#journal
    if (useChanges === this.#saved) return
    const names = this.#isKnown()
    const uses = Object.entries(this.#journal.uses()).flatMap(([name, one]) =>
      names.has(name) ? [{ name, ...one }] : [],
    )
    try {
      const exposed = prepareServerFile(this.#path)
      if (exposed !== undefined) {
        this.#complain(exposed.detail)
        return
      }
      replaceServerFile(this.#path, `${JSON.stringify({ version: '1', since: this.since, uses })}\n`, 0o600)
      this.#saved = useChanges
      this.#failed = false
    } catch (error) {
      this.#complain(fileReason(error))
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.save()
  }

  /** Once, until it works again. */
  #complain(why: string): void {
    if (!this.#failed)
      this.#log.write('warning', 'notice', { text: `the last knock of each user is not kept in ${this.#path}: ${why}` })
    this.#failed = true
  }
}
