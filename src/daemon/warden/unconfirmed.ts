/**
 * Revocations that have begun and are not confirmed yet, in a file beside the replay store. If the server is killed in
 * the middle, the next one ends what was to be ended. The file is there only meanwhile.
 */
import { rmSync } from 'node:fs'
import type { Grant } from '../../access/grant.ts'
import { encodeRecord, parseRecord } from '../../firewall/record.ts'
import { list, mapped, type Reader, record, text } from '../../json-reader.ts'
import { systemReason } from '../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../system/server-file.ts'
import { systemPath } from '../../system/system-path.ts'

/** What was asked for, and the grants that it means, also those that have ended. */
export interface Begun {
  readonly word: string
  readonly grants: readonly Grant[]
}

/** As many grants as a server remembers, and as many as other nodes of a cluster revoke at once. */
const MOST_GRANTS = 100_000
const MOST = 50_000
const LONGEST_RECORD = 100_000
const LARGEST = 32 * 1024 * 1024

const begun: Reader<readonly Begun[]> = list(
  record(
    {
      word: text({ max: 200 }),
      grants: list(
        mapped(text({ max: LONGEST_RECORD }), (line) => parseRecord(line)?.grant),
        { min: 0, max: MOST_GRANTS },
      ),
    },
    {},
  ),
  { min: 0, max: MOST },
)

export class Unconfirmed {
  readonly #path: string | undefined
  readonly #begun = new Set<Begun>()

  /** @param path absent: nothing is kept (a dry run). */
  constructor(path: string | undefined) {
    this.#path = path
  }

  /**
   * What an earlier server had begun. It stays in the file until {@link end} is called for each.
   * @returns why it cannot be read, if so.
   */
  left(): readonly Begun[] | string {
    const path = this.#path
    if (path === undefined) return []
    try {
      const read = readServerFile(path, LARGEST)
      if (!read.ok) return read.failure.detail
      if (read.value === undefined) return []
      const left = begun(JSON.parse(read.value))
      if (left === undefined) return `${path} cannot be understood`
      for (const one of left) this.#begun.add(one)
      return left
    } catch (error) {
      return `${path}: ${systemReason(error)}`
    }
  }

  /** Durable when this returns. @returns why it could not be written, if so. */
  begin(...all: readonly Begun[]): string | undefined {
    for (const one of all) this.#begun.add(one)
    return this.#write()
  }

  /** They are confirmed, or the administrator is told what is left. */
  end(...all: readonly Begun[]): void {
    for (const one of all) this.#begun.delete(one)
    this.#write()
  }

  #write(): string | undefined {
    const path = this.#path
    if (path === undefined) return undefined
    try {
      if (this.#begun.size > 0) {
        const exposed = prepareServerFile(path)
        if (exposed !== undefined) return exposed.detail
        const all = [...this.#begun].map(({ word, grants }) => ({
          word,
          grants: grants.map((grant) => encodeRecord(grant, 0)),
        }))
        replaceServerFile(path, JSON.stringify(all), 0o600)
      } else rmSync(systemPath(path), { force: true })
      return undefined
    } catch (error) {
      return `${path}: ${systemReason(error)}`
    }
  }
}
