/**
 * What a node keeps of the cluster’s users: a file of stanzas, and when it was last the newest. Both are root’s alone.
 * The stanzas count from the start on, before etcd answers.
 */
import { jsonLine } from '../../../bytes/text.ts'
import { copyText, seenIn } from '../../../cluster-users/copy.ts'
import type { Seen } from '../../../cluster-users/roster.ts'
import { integer, record } from '../../../json-reader.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import { fileReason } from '../../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../../system/server-file.ts'

/** All pages of the longest roster have half of that. */
const MOST_OF_COPY = 8 * 1024 * 1024
const MOST_OF_STATE = 200

const readState = record({ syncedAt: integer({ min: 0, max: 2 ** 40 }) }, {})

export interface KeptCopy {
  readonly seen: Seen
  readonly text: string
}

export class CopyFile {
  readonly #path: string
  readonly #statePath: string

  constructor(path: string, statePath: string) {
    this.#path = path
    this.#statePath = statePath
  }

  get path(): string {
    return this.#path
  }

  /** @returns undefined if there is none yet; CONFIG_UNREADABLE if it is not what this server writes. */
  read(): Result<KeptCopy | undefined> {
    try {
      const read = readServerFile(this.#path, MOST_OF_COPY)
      if (!read.ok || read.value === undefined) return read.ok ? ok(undefined) : read
      const seen = seenIn(read.value)
      return seen === undefined
        ? refuse('CONFIG_UNREADABLE', `${this.#path} is not as this server writes it`)
        : ok({ seen, text: read.value })
    } catch (error) {
      return refuse('CONFIG_UNREADABLE', `${this.#path}: ${fileReason(error)}`)
    }
  }

  /** @returns the text of the file. */
  write(seen: Seen, stanzas: readonly string[]): Result<string> {
    const text = copyText(seen, stanzas)
    const written = this.#replace(this.#path, text)
    return written.ok ? ok(text) : written
  }

  /** When the copy was last known to be the newest: Unix seconds. 0: nobody knows. */
  syncedAt(): number {
    try {
      const read = readServerFile(this.#statePath, MOST_OF_STATE)
      return read.ok && read.value !== undefined ? (readState(JSON.parse(read.value))?.syncedAt ?? 0) : 0
    } catch {
      return 0
    }
  }

  keepSyncedAt(syncedAt: number): Result<void> {
    return this.#replace(this.#statePath, `${jsonLine({ syncedAt })}\n`)
  }

  #replace(path: string, text: string): Result<void> {
    try {
      const exposed = prepareServerFile(path)
      if (exposed !== undefined) return { ok: false, failure: exposed }
      replaceServerFile(path, text, 0o600)
      return ok(undefined)
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`)
    }
  }
}
