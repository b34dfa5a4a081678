/**
 * What a node keeps of the cluster’s users: a file of stanzas, and when it was last the newest. Both are root’s alone.
 * The stanzas count from the start on, before etcd answers.
 */
import { parseStanzaName } from '../../../access/stanza-name.ts'
import { jsonLine } from '../../../bytes/text.ts'
import { copyText, seenIn } from '../../../cluster-users/copy.ts'
import type { Seen } from '../../../cluster-users/roster.ts'
import { clusterOfCopy } from '../../../config/access/cluster-blocks.ts'
import type { ClusterName } from '../../../config/server/cluster-settings.ts'
import { integer, list, mapped, type Read, record, text } from '../../../json-reader.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import { fileReason } from '../../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../../system/server-file.ts'

/** All pages of the longest roster have half of that. */
const MOST_OF_COPY = 8 * 1024 * 1024
const MOST_OF_STATE = 1024 * 1024

const ended = mapped(text({ max: 63 }), (read) => {
  const name = parseStanzaName(read)
  return name.ok ? name.value : undefined
})
const readState = record(
  {
    /** When the copy was last known to be the newest: Unix seconds. 0: nobody knows. */
    syncedAt: integer({ min: 0, max: 2 ** 40 }),
  },
  {
    /** Users that the copy does not have any more, and whose grants did not end yet. */
    ended: list(ended, { min: 0, max: 20_000 }),
  },
)
export type CopyState = Read<typeof readState>

export interface KeptCopy {
  readonly seen: Seen
  readonly text: string
}

export class CopyFile {
  readonly #cluster: ClusterName
  readonly #path: string
  readonly #statePath: string

  /** @param cluster whose stanzas: a copy of another one does not count. */
  constructor(cluster: ClusterName, path: string, statePath: string) {
    this.#cluster = cluster
    this.#path = path
    this.#statePath = statePath
  }

  get path(): string {
    return this.#path
  }

  /**
   * @returns undefined if there is none yet; CONFIG_UNREADABLE if it is not what this server writes; CONFIG_CONFLICT if
   * it is of another cluster.
   */
  read(): Result<KeptCopy | undefined> {
    try {
      const read = readServerFile(this.#path, MOST_OF_COPY)
      if (!read.ok || read.value === undefined) return read.ok ? ok(undefined) : read
      const seen = seenIn(this.#cluster, read.value)
      if (seen !== undefined) return ok({ seen, text: read.value })
      const other = clusterOfCopy(read.value)
      return other === undefined || other === this.#cluster
        ? refuse('CONFIG_UNREADABLE', `${this.#path} is not as this server writes it`)
        : refuse(
            'CONFIG_CONFLICT',
            `${this.#path} is the copy of the cluster ${other}, and this host is in ${this.#cluster}`,
          )
    } catch (error) {
      return refuse('CONFIG_UNREADABLE', `${this.#path}: ${fileReason(error)}`)
    }
  }

  text(seen: Seen, stanzas: readonly string[]): string {
    return copyText(this.#cluster, seen, stanzas)
  }

  /** @param text from {@link text}. */
  write(text: string): Result<void> {
    return this.#replace(this.#path, text)
  }

  state(): CopyState {
    try {
      const read = readServerFile(this.#statePath, MOST_OF_STATE)
      return (read.ok && read.value !== undefined && readState(JSON.parse(read.value))) || { syncedAt: 0 }
    } catch {
      return { syncedAt: 0 }
    }
  }

  keepState(state: CopyState): Result<void> {
    return this.#replace(this.#statePath, `${jsonLine(state)}\n`)
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
