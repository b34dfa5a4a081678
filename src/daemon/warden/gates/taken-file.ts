/**
 * Which grants of the cluster this node has taken, or saw revoked, in a file. Each is taken once: etcd can show an
 * old record again, also after a restart, and it opens nothing.
 *
 * An entry goes some time after the end of its grant. The latest of these ends stays: a record that ended by then, and
 * has no entry, is never taken. So a clock that is set back makes no forgotten grant new. A captured node can write
 * any end: what counts is when the grant ends here (judge-record.ts).
 */
import { writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { jsonLine } from '../../../bytes/text.ts'
import { type RecordId, readId } from '../../../cluster-record/record-name.ts'
import { integer, mapped, type Read, record, text } from '../../../json-reader.ts'
import { MAX_TIME } from '../../../packet/wire-limits.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import { systemReason } from '../../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../../system/server-file.ts'
import { systemPath } from '../../../system/system-path.ts'
import { milliseconds, type UnixSeconds, unixSeconds } from '../../../units.ts'

const time = mapped(integer({ min: 0, max: MAX_TIME }), unixSeconds)
const entry = record({ id: readId, end: time }, { grant: text({ max: 100_000 }), here: time })
const watermark = record({ forgotten: time }, {})
/**
 * `grant`: what it opened here, as firewall/record.ts writes it. Absent: nothing.
 *
 * `here`: when it ends here, if that is before `end`, which another node says. Absent: then.
 */
export type Taken = Read<typeof entry>

/** For each: why not, or undefined. */
export interface Noted {
  readonly written: Promise<string | undefined>
  readonly durable: Promise<string | undefined>
}

/** Seconds after its end that an entry is kept: who revokes it later ends the connections that it let in. */
const KEPT = 24 * 3600
const MOST = 100_000
const LARGEST = 64 * 1024 * 1024
/** Until what is only written goes to the disk, together with what is written by then. */
const SYNC_AFTER = milliseconds(250)
/** What the file may grow to before it is written anew. */
const MOST_BYTES = LARGEST / 2

export class TakenFile {
  readonly #path: string
  readonly #taken: Map<RecordId, Taken>
  #forgotten: UnixSeconds
  readonly #most: number
  #file: FileHandle | undefined
  #bytes = 0
  /** How often the file was written anew. What is added by then is in it. */
  #made = 0
  /** Whether the file may end in the middle of a line. */
  #isTorn = false
  #adding: Promise<string | undefined> = Promise.resolve(undefined)
  /** What is written goes to the disk soon. */
  #syncing: { readonly done: Promise<string | undefined>; readonly now: () => void } | undefined

  private constructor(path: string, taken: Map<RecordId, Taken>, forgotten: UnixSeconds, most: number) {
    this.#most = most
    this.#path = path
    this.#taken = taken
    this.#forgotten = forgotten
  }

  /** @returns why it cannot be used: then nothing may be taken. */
  static open(path: string, now: UnixSeconds, most = MOST): Result<TakenFile> {
    const unusable = (why: string, suggestion?: string) =>
      refuse('REPLAY_STORE_FAILED', `${path}: ${why}`, suggestion === undefined ? {} : { suggestion })
    try {
      const exposed = prepareServerFile(path)
      if (exposed !== undefined) return { ok: false, failure: exposed }
      const read = readServerFile(path, LARGEST)
      if (!read.ok) return read
      const parsed = parseLines(read.value ?? '')
      if (parsed === undefined)
        return unusable(
          'it is damaged',
          `when all grants of before have ended: rm ${path} && systemctl restart ghostport`,
        )
      const made = new TakenFile(path, parsed.taken, parsed.forgotten, most)
      made.#rewrite(now, KEPT)
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

  /**
   * Written when `written` resolves: it outlives this process, however that dies. Durable when `durable` does: it
   * outlives a power cut. Neither rejects; each says why not. What is not written must not be opened.
   *
   * A door may open between the two. A power cut takes the kernel’s doors and connections with it. So a node that
   * forgot the grant by it has nothing open, and may take the grant again: until the same end, and never if it was
   * revoked.
   */
  note(entries: readonly Taken[], now: UnixSeconds): Noted {
    const written = this.#take(entries, now, 'written')
    return { written, durable: written.then((why) => why ?? this.#syncSoon()) }
  }

  /** For what must never be forgotten. Durable when this resolves. Never rejects. @returns why it is not. */
  add(entries: readonly Taken[], now: UnixSeconds): Promise<string | undefined> {
    return this.#take(entries, now, 'durable')
  }

  #take(entries: readonly Taken[], now: UnixSeconds, how: 'written' | 'durable'): Promise<string | undefined> {
    const text = entries.map((entry) => `${jsonLine(entry)}\n`).join('')
    try {
      if (this.#taken.size + entries.length > this.#most || this.#bytes + text.length > MOST_BYTES) this.#makeRoom(now)
    } catch (error) {
      return Promise.resolve(`${this.#path}: ${systemReason(error)}`)
    }
    if (this.#taken.size + entries.length > this.#most || this.#bytes + text.length > MOST_BYTES)
      return Promise.resolve(`${this.#path} has ${this.#taken.size} grants, which is the limit`)
    // At once: none of them is new from now on.
    for (const entry of entries) this.#taken.set(entry.id, entry)
    this.#bytes += text.length
    this.#adding = this.#adding.then(() => this.#append(text, now, how))
    return this.#adding
  }

  /** One after the other. */
  async #append(text: string, now: UnixSeconds, how: 'written' | 'durable'): Promise<string | undefined> {
    const made = this.#made
    try {
      if (this.#isTorn) {
        // All of it is in what is written anew.
        this.#rewrite(now, KEPT)
        this.#isTorn = false
        return undefined
      }
      const file = this.#file ?? (await open(systemPath(this.#path), 'a', 0o600))
      if (this.#made !== made) {
        await file.close()
        return undefined
      }
      this.#file = file
      // Into the kernel's memory: it costs less than a thread that does it.
      writeFileSync(file.fd, text)
      if (how === 'durable') await file.datasync()
      return undefined
    } catch (error) {
      // It was written anew meanwhile, and has these too.
      if (this.#made !== made) return undefined
      // A part of a line may be there, as on a full disk: what follows would be damaged.
      this.#isTorn = true
      return `${this.#path}: ${systemReason(error)}`
    }
  }

  /** @returns why what is written is not durable. */
  #syncSoon(): Promise<string | undefined> {
    this.#syncing ??= this.#startSyncing()
    return this.#syncing.done
  }

  #startSyncing() {
    let now = (): void => {}
    const due = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, SYNC_AFTER)
      now = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    const done = due.then(async () => {
      this.#syncing = undefined
      const made = this.#made
      try {
        await this.#file?.datasync()
        return undefined
      } catch (error) {
        // It was written anew meanwhile, durably.
        if (this.#made !== made) return undefined
        this.#isTorn = true
        return `${this.#path}: ${systemReason(error)}`
      }
    })
    return { done, now }
  }

  /** What has ended goes, from the oldest: the latest of these ends guards it (see above). */
  #makeRoom(now: UnixSeconds): void {
    this.#rewrite(now, KEPT)
    if (this.#taken.size <= this.#most / 2 && this.#bytes <= MOST_BYTES / 2) return
    this.#rewrite(now, 0)
  }

  async close(): Promise<void> {
    await this.#adding
    this.#syncing?.now()
    await this.#syncing?.done
    await this.#file?.close()
    this.#file = undefined
  }

  /** @param kept seconds after its end that an entry stays. */
  #rewrite(now: UnixSeconds, kept: number): void {
    for (const [id, { end, here = end }] of this.#taken) {
      if (here + kept >= now) continue
      this.#taken.delete(id)
      this.#forgotten = unixSeconds(Math.max(this.#forgotten, here))
    }
    const text = [{ forgotten: this.#forgotten }, ...this.#taken.values()].map((line) => `${jsonLine(line)}\n`).join('')
    replaceServerFile(this.#path, text, 0o600)
    this.#bytes = text.length
    this.#made++
    void this.#file?.close().catch(() => {})
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
