/**
 * Which grants of the cluster this node has taken, or saw revoked, on the disk. Each is taken once: etcd can show an
 * old record again, also after a restart, and it opens nothing.
 *
 * An entry goes some time after the end of its grant. The latest of these ends stays: a record that ended by then, and
 * has no entry, is never taken. So a clock that is set back makes no forgotten grant new.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { jsonLine } from '../../../bytes/text.ts'
import { type RecordId, readId } from '../../../cluster-record/record-name.ts'
import { integer, mapped, type Read, record, text } from '../../../json-reader.ts'
import { MAX_TIME } from '../../../packet/wire-limits.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import { systemReason } from '../../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../../system/server-file.ts'
import { systemPath } from '../../../system/system-path.ts'
import { type UnixSeconds, unixSeconds } from '../../../units.ts'

const time = mapped(integer({ min: 0, max: MAX_TIME }), unixSeconds)
const entry = record({ id: readId, end: time }, { grant: text({ max: 100_000 }) })
const watermark = record({ forgotten: time }, {})
/** `grant`: what it opened here, as firewall/record.ts writes it. Absent: nothing. */
export type Taken = Read<typeof entry>

/** Seconds after its end that an entry is kept. */
const KEPT = 3600
const MOST = 100_000
const LARGEST = 64 * 1024 * 1024

export class TakenFile {
  readonly #path: string
  readonly #taken: Map<RecordId, Taken>
  #forgotten: UnixSeconds
  #file: FileHandle | undefined

  private constructor(path: string, taken: Map<RecordId, Taken>, forgotten: UnixSeconds) {
    this.#path = path
    this.#taken = taken
    this.#forgotten = forgotten
  }

  /** @returns why it cannot be used: then nothing may be taken. */
  static open(path: string, now: UnixSeconds): Result<TakenFile> {
    const unusable = (why: string) => refuse('REPLAY_STORE_FAILED', `${path}: ${why}`)
    try {
      const exposed = prepareServerFile(path)
      if (exposed !== undefined) return { ok: false, failure: exposed }
      const read = readServerFile(path, LARGEST)
      if (!read.ok) return read
      const parsed = parseLines(read.value ?? '')
      if (parsed === undefined) return unusable('it is damaged')
      const made = new TakenFile(path, parsed.taken, parsed.forgotten)
      made.#rewrite(now)
      return ok(made)
    } catch (error) {
      return unusable(systemReason(error))
    }
  }

  all(): readonly Taken[] {
    return [...this.#taken.values()]
  }

  get(id: RecordId): Taken | undefined {
    return this.#taken.get(id)
  }

  /** Whether it may still be taken. */
  isNew(id: RecordId, end: UnixSeconds): boolean {
    return !this.#taken.has(id) && end > this.#forgotten
  }

  /** Durable when this resolves. @returns why it could not be written: then nothing of it may be opened. */
  async add(entries: readonly Taken[], now: UnixSeconds): Promise<string | undefined> {
    try {
      if (this.#taken.size + entries.length > MOST) this.#rewrite(now)
      if (this.#taken.size + entries.length > MOST) return `${this.#path} has ${MOST} grants, which is the limit`
      for (const entry of entries) this.#taken.set(entry.id, entry)
      this.#file ??= await open(systemPath(this.#path), 'a', 0o600)
      await this.#file.appendFile(entries.map((entry) => `${jsonLine(entry)}\n`).join(''))
      await this.#file.datasync()
      return undefined
    } catch (error) {
      return `${this.#path}: ${systemReason(error)}`
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  #rewrite(now: UnixSeconds): void {
    for (const [id, { end }] of this.#taken) {
      if (end + KEPT >= now) continue
      this.#taken.delete(id)
      this.#forgotten = unixSeconds(Math.max(this.#forgotten, end))
    }
    const lines = [{ forgotten: this.#forgotten }, ...this.#taken.values()]
    replaceServerFile(this.#path, lines.map((line) => `${jsonLine(line)}\n`).join(''), 0o600)
    void this.#file?.close()
    this.#file = undefined
  }
}

/** A last line without its end was never durable. */
function parseLines(text: string): { taken: Map<RecordId, Taken>; forgotten: UnixSeconds } | undefined {
  const taken = new Map<RecordId, Taken>()
  let forgotten = unixSeconds(0)
  for (const line of text.split('\n').slice(0, -1)) {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return undefined
    }
    const mark = watermark(value)
    const one = entry(value)
    if (mark !== undefined) forgotten = mark.forgotten
    else if (one === undefined) return undefined
    else taken.set(one.id, one)
  }
  return { taken, forgotten }
}
