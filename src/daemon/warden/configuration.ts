/**
 * The configuration of the warden: read from the files, kept for the receivers, and replaced at a reload. Each reading has a
 * generation, by which a receiver says which one it works under.
 */
import { StanzaIndex } from '../../access/matching.ts'
import { systemClock } from '../../clock.ts'
import { type ConfigPaths, type LoadedConfig, loadConfig } from '../../config/load.ts'
import { type ConfigSnapshot, recordFiles } from '../../config/reading/config-files.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { diskFiles } from './disk-files.ts'
import { hostNotices } from './host-notices.ts'
import { needsRestart } from './restart-settings.ts'

/** A configuration, as parsed here and as the receiver will parse it. */
export interface Configuration extends LoadedConfig {
  /** A {@link ConfigSnapshot} as JSON. It holds keys: kept once, outside of the heap of JavaScript, for the next receiver. */
  readonly files: Uint8Array
  readonly generation: number
  readonly index: StanzaIndex
}

export function readConfiguration(paths: ConfigPaths, generation: number): Result<Configuration> {
  const user = process.getuid?.() ?? 0
  const recorder = recordFiles(diskFiles(user))
  const loaded = loadConfig(recorder, paths)
  if (!loaded.ok) return loaded
  const notices = [...loaded.value.notices, ...hostNotices(loaded.value, systemClock.now())]
  const files = Buffer.from(JSON.stringify(recorder.snapshot()))
  return ok({ ...loaded.value, notices, files, generation, index: new StanzaIndex(loaded.value.policy.stanzas) })
}

/** The files that a configuration was read from, for the receiver. */
export function snapshotOf({ files }: Pick<Configuration, 'files'>): ConfigSnapshot {
  return JSON.parse(Buffer.from(files.buffer, files.byteOffset, files.length).toString())
}

/** The configuration in force, and the one that follows it at a reload. */
export class Configurations {
  readonly paths: ConfigPaths
  #active: Configuration
  #wanted: Configuration

  constructor(paths: ConfigPaths, first: Configuration) {
    this.paths = paths
    this.#active = first
    this.#wanted = first
  }

  /** What the receiver works under, and so what its knocks mean. */
  get active(): Configuration {
    return this.#active
  }

  /** What the receiver has been sent, or will be when it starts. */
  get wanted(): Configuration {
    return this.#wanted
  }

  /**
   * Reads the files again.
   * @returns what is {@link wanted} from now on. CONFIG_CONFLICT where a setting changed that only a restart can change; or what is
   * wrong with the files. Then nothing has changed.
   */
  reload(): Result<Configuration> {
    const read = readConfiguration(this.paths, this.#wanted.generation + 1)
    if (!read.ok) return read
    const fixed = needsRestart(this.#active, read.value)
    if (fixed.length > 0)
      return refuse('CONFIG_CONFLICT', `a restart (which keeps live grants) is needed to change ${fixed.join(', ')}`)
    this.#wanted = read.value
    return read
  }

  /** The receiver works under what is {@link wanted}. @returns whether that was not in force before. */
  activate(): boolean {
    const isNew = this.#active !== this.#wanted
    this.#active = this.#wanted
    return isNew
  }
}
