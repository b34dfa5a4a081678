/**
 * What was last known of etcd, on the disk: its cluster, and the number of its last change. After a restart of the
 * server, an etcd that knows less is noticed: somebody has restored a backup, and used packets could be new again.
 */
import { jsonLine } from '../../../bytes/text.ts'
import type { ClusterName } from '../../../config/server/cluster-settings.ts'
import { record, text } from '../../../json-reader.ts'
import type { Log } from '../../../log.ts'
import { fileReason } from '../../../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile } from '../../../system/server-file.ts'
import { milliseconds } from '../../../units.ts'
import { type ClusterPast, parseClusterPast } from '../../link/cluster-protocol.ts'

/** A crash of the host may lose what was learned in this time. */
const PAUSE = milliseconds(5000)
const MOST_BYTES = 1000

export class PastFile {
  #known: ClusterPast | undefined
  readonly #path: string
  readonly #name: ClusterName
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined

  /**
   * Reads the file. If it cannot be used, that is logged, and nothing is known.
   * @param name of the cluster. What is known of another one says nothing about this one: else a host that goes from
   * one to another would close it for all of its nodes.
   */
  constructor(path: string, name: ClusterName, log: Log) {
    this.#path = path
    this.#name = name
    this.#log = log
    const read = readServerFile(path, MOST_BYTES)
    if (!read.ok) this.#complain(read.failure.detail)
    else if (read.value !== undefined) {
      const kept = parsePast(read.value)
      if (kept === undefined) this.#complain('it is damaged')
      else if (kept.name === name || kept.name === undefined) this.#known = kept.past
    }
  }

  get known(): ClusterPast | undefined {
    return this.#known
  }

  learn(past: ClusterPast): void {
    this.#known = past
    this.#timer ??= setTimeout(() => this.#save(), PAUSE).unref()
  }

  close(): void {
    if (this.#timer !== undefined) this.#save()
  }

  #save(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    try {
      const exposed = prepareServerFile(this.#path)
      if (exposed !== undefined) this.#complain(exposed.detail)
      else replaceServerFile(this.#path, `${jsonLine({ name: this.#name, past: this.#known })}\n`, 0o600)
    } catch (error) {
      this.#complain(fileReason(error))
    }
  }

  #complain(why: string): void {
    this.#log.write('warning', 'notice', {
      text: `${this.#path}: ${why}. An etcd that was put back to an earlier state is not noticed after a restart`,
    })
  }
}

const readKept = record({ name: text({ max: 63 }), past: parseClusterPast }, {})

/** Earlier versions wrote no name. */
function parsePast(kept: string): { readonly name?: string; readonly past: ClusterPast } | undefined {
  try {
    const value: unknown = JSON.parse(kept)
    const past = parseClusterPast(value)
    return past === undefined ? readKept(value) : { past }
  } catch {
    return undefined
  }
}
