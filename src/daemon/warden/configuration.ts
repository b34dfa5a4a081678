/**
 * The configuration of the warden: read from files, kept for the receivers, and replaced at a reload. Each reading has
 * a generation number. A receiver names the generation that it works under.
 */
import { StanzaIndex } from '../../access/matching.ts'
import { systemClock } from '../../clock.ts'
import { judgeAccounts } from '../../commands/judge-accounts.ts'
import { judgeWebhook } from '../../commands/webhook.ts'
import { type ConfigSource, type LoadedConfig, loadConfig } from '../../config/load.ts'
import { type ConfigSnapshot, recordFiles } from '../../config/reading/config-files.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { judgeCluster } from './cluster-process/secrets.ts'
import { diskFiles } from './config-files-on-disk.ts'
import { type GnupgOrder, gnupgOrder } from './gnupg-process/gnupg-order.ts'
import { hostNotices } from './host-notices.ts'
import { needsRestart } from './restart-settings.ts'

/** A configuration, as parsed here and as the receiver will parse it. */
export interface Configuration extends LoadedConfig {
  /**
   * A {@link ConfigSnapshot} as JSON. It holds keys. It is kept once, outside the JavaScript heap, for the next
   * receiver.
   */
  readonly files: Uint8Array
  readonly generation: number
  readonly index: StanzaIndex
  /** For the GnuPG process. It holds keys. Absent: no stanza uses GnuPG. */
  readonly gnupg: GnupgOrder | undefined
}

export function readConfiguration(source: ConfigSource, generation: number): Result<Configuration> {
  const user = process.getuid?.() ?? 0
  const recorder = recordFiles(diskFiles(user))
  const loaded = loadConfig(recorder, source)
  if (!loaded.ok) return loaded
  const accounts = judgeAccounts(loaded.value)
  if (!accounts.ok) return accounts
  const webhook = judgeWebhook(loaded.value)
  if (!webhook.ok) return webhook
  const cluster = judgeCluster(loaded.value)
  if (!cluster.ok) return cluster
  const gnupg = gnupgOrder(loaded.value.policy.stanzas)
  if (!gnupg.ok) return gnupg
  const notices = [...loaded.value.notices, ...hostNotices(loaded.value, systemClock.now())]
  const files = Buffer.from(JSON.stringify(recorder.snapshot()))
  const index = new StanzaIndex(loaded.value.policy.stanzas, loaded.value.policy.sharedPorts)
  return ok({ ...loaded.value, notices, files, generation, index, gnupg: gnupg.value })
}

/** The files of a configuration, for the receiver. */
export function snapshotOf({ files }: Pick<Configuration, 'files'>): ConfigSnapshot {
  return JSON.parse(Buffer.from(files.buffer, files.byteOffset, files.length).toString())
}

/** The configuration in force, and the one that replaces it at a reload. */
export class Configurations {
  readonly source: ConfigSource
  #active: Configuration
  #wanted: Configuration
  #generations: number

  constructor(source: ConfigSource, first: Configuration) {
    this.source = source
    this.#active = first
    this.#wanted = first
    this.#generations = first.generation
  }

  /** The configuration that the receiver works under. It gives its knocks their meaning. */
  get active(): Configuration {
    return this.#active
  }

  /** The configuration that the receiver was sent, or gets at its start. */
  get wanted(): Configuration {
    return this.#wanted
  }

  /**
   * Reads the files again.
   * @returns the new {@link wanted} configuration. CONFIG_CONFLICT if a changed setting needs a restart; or the fault
   * in the files. After a failure, nothing has changed.
   */
  reload(): Result<Configuration> {
    const read = readConfiguration(this.source, ++this.#generations)
    if (!read.ok) return read
    const fixed = needsRestart(this.#active, read.value)
    if (fixed.length > 0)
      return refuse('CONFIG_CONFLICT', `a restart (which keeps live grants) is needed to change ${fixed.join(', ')}`)
    this.#wanted = read.value
    return read
  }

  /** The receiver works under {@link wanted} now. @returns whether another one was in force before. */
  activate(): boolean {
    const isNew = this.isPending
    this.#active = this.#wanted
    return isNew
  }

  /** Whether {@link wanted} is still to come into force. */
  get isPending(): boolean {
    return this.#active !== this.#wanted
  }

  /** No receiver can work under {@link wanted}: the one in force stays. */
  abandon(): void {
    this.#wanted = this.#active
  }
}
