/**
 * Obfuscated names on the disk. A map is written, encrypted, before any file or folder gets the name that it tells of:
 * no real name is ever lost. Maps are removed when all that they tell of has its real name again.
 */
import { randomBytes } from 'node:crypto'
import { lstatSync, renameSync, unlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { bytesFromText, textFromBytes } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { type Folder, namesIn } from './folder.ts'
import type { GpgStreams } from './gpg-stream.ts'
import {
  canBeMapped,
  extendNameMap,
  formatNameMap,
  isObfuscatedFolder,
  type NameMap,
  parseNameMap,
} from './name-map.ts'
import { FOLDER_MAP, temporaryName } from './names.ts'
import { argumentsOf, type Means, verdictOf } from './operations.ts'
import { below, type Task } from './plan.ts'

type Refusal = Failure<'GPGDIR_REFUSED'>
type Kind = 'files' | 'folders'

export interface Obfuscation {
  readonly top: Folder
  readonly streams: GpgStreams
  readonly means: Means
  /** Name of the map of files, without `.gpg`. */
  readonly mapFile: string
}

export class ObfuscatedNames {
  readonly #it: Obfuscation
  /** By folder, below the top one. */
  readonly #fileMaps = new Map<string, NameMap>()

  constructor(it: Obfuscation) {
    this.#it = it
  }

  /**
   * Gives the tasks of an encryption obfuscated targets, and writes the maps of their folders.
   * @param tasks whose names can be mapped.
   */
  async assign(tasks: readonly Task[]): Promise<Result<readonly Task[], Refusal>> {
    const names = new Map<string, string[]>()
    for (const { folder, source } of tasks) push(names, folder, source)
    const maps = new Map<string, NameMap>()
    for (const [path, sources] of names) {
      using folder = this.#it.top.below(path)
      const map = await this.#extend(folder, path, sources, 'files')
      if (!map.ok) return map
      maps.set(path, map.value)
    }
    return ok(tasks.map((task) => ({ ...task, target: maps.get(task.folder)?.get(task.source) ?? task.target })))
  }

  /** Renames the folders of the tree, the deepest first. @param folders below the top one. */
  async renameFolders(folders: readonly string[]): Promise<Result<void, Refusal>> {
    const deepest = [...folders].sort((one, other) => other.split('/').length - one.split('/').length)
    const byParent = new Map<string, string[]>()
    for (const path of deepest) {
      const name = path.slice(path.lastIndexOf('/') + 1)
      const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
      if (!isObfuscatedFolder(name) && canBeMapped(name)) push(byParent, parent, name)
    }
    for (const [path, names] of byParent) {
      using folder = this.#it.top.below(path)
      const map = await this.#extend(folder, path, names.sort(), 'folders')
      if (!map.ok) return map
      for (const name of names) renameIfFree(folder, name, map.value.get(name) ?? name)
      await folder.sync()
    }
    return ok(undefined)
  }

  /** Gives the folders of the tree their real names again, from the top down. */
  async restoreFolders(): Promise<Result<void, Refusal>> {
    const waiting = ['']
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      using folder = this.#it.top.below(path)
      const map = await this.#read(folder, path, 'folders')
      if (!map.ok) return map
      for (const [real, obfuscated] of map.value ?? []) renameIfFree(folder, obfuscated, real)
      await folder.sync()
      if (map.value !== undefined) this.#removeIfDone(folder, map.value, 'folders')
      for (const name of namesIn(folder))
        if (lstatSync(folder.path(name)).isDirectory() && name !== '.gnupg') waiting.push(below(path, name))
    }
    return ok(undefined)
  }

  /** The tasks that decrypt what the maps tell of. @param folders below the top one. */
  async tasks(folders: readonly string[]): Promise<Result<readonly Task[], Refusal>> {
    const tasks: Task[] = []
    for (const path of ['', ...folders]) {
      using folder = this.#it.top.below(path)
      const map = await this.#read(folder, path, 'files')
      if (!map.ok) return map
      if (map.value === undefined) continue
      this.#fileMaps.set(path, map.value)
      for (const [real, obfuscated] of map.value) {
        const stat = lstatSync(folder.path(obfuscated), { throwIfNoEntry: false })
        if (stat?.isFile() === true) tasks.push({ folder: path, source: obfuscated, target: real, size: stat.size })
      }
    }
    return ok(tasks)
  }

  /** Removes the maps that {@link tasks} has read, where all files have their real names. */
  removeMaps(): void {
    for (const [path, map] of this.#fileMaps) {
      using folder = this.#it.top.below(path)
      this.#removeIfDone(folder, map, 'files')
    }
  }

  #removeIfDone(folder: Folder, map: NameMap, kind: Kind): void {
    const names = new Set(namesIn(folder))
    if ([...map.values()].some((obfuscated) => names.has(obfuscated))) return
    for (const name of [this.#nameOf(kind), `${this.#nameOf(kind)}.gpg`])
      if (names.has(name)) unlinkSync(folder.path(name))
  }

  #nameOf(kind: Kind): string {
    return kind === 'files' ? this.#it.mapFile : FOLDER_MAP
  }

  /** Adds names to the map of a folder, on the disk. */
  async #extend(folder: Folder, path: string, names: readonly string[], kind: Kind): Promise<Result<NameMap, Refusal>> {
    const earlier = await this.#read(folder, path, kind)
    if (!earlier.ok) return earlier
    const map = extendNameMap(earlier.value ?? new Map(), names, kind, new Set(namesIn(folder)))
    const written = await this.#write(folder, path, map, kind)
    return written.ok ? ok(map) : written
  }

  /** @returns undefined if the folder has no map. */
  async #read(folder: Folder, path: string, kind: Kind): Promise<Result<NameMap | undefined, Refusal>> {
    const name = `${this.#nameOf(kind)}.gpg`
    const shown = below(path, name)
    if (!namesIn(folder).includes(name)) return ok(undefined)
    try {
      await using file = await open(folder.path(name))
      const run = await this.#it.streams.run(argumentsOf('decrypt', this.#it.means), {
        input: file.fd,
        output: 'memory',
      })
      const verdict = verdictOf('decrypt', run)
      if (verdict.whole && run.output !== undefined) return ok(parseNameMap(textFromBytes(run.output), kind))
      return refuse(
        'GPGDIR_REFUSED',
        `${shown} has the real names, and does not decrypt: ${verdict.whole ? '' : verdict.why}`,
      )
    } catch (error) {
      return refuse('GPGDIR_REFUSED', `${shown}: ${fileReason(error)}`)
    }
  }

  async #write(folder: Folder, path: string, map: NameMap, kind: Kind): Promise<Result<void, Refusal>> {
    const name = `${this.#nameOf(kind)}.gpg`
    const temporary = temporaryName(randomBytes(8).toString('hex'))
    let isNamed = false
    try {
      await using file = await open(folder.path(temporary), 'wx', 0o600)
      const { streams, means } = this.#it
      const input = bytesFromText(formatNameMap(map)) ?? new Uint8Array()
      const run = await streams.run(argumentsOf('encrypt', { ...means, armor: false }), { input, output: file.fd })
      const verdict = verdictOf('encrypt', run)
      if (!verdict.whole) return refuse('GPGDIR_REFUSED', `${below(path, name)} cannot be written: ${verdict.why}`)
      await file.sync()
      renameSync(folder.path(temporary), folder.path(name))
      isNamed = true
      await folder.sync()
      return ok(undefined)
    } catch (error) {
      return refuse('GPGDIR_REFUSED', `${below(path, name)}: ${fileReason(error)}`)
    } finally {
      if (!isNamed) removeIfThere(folder, temporary)
    }
  }
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** A name that is taken stays as it is, and its map with it. */
function renameIfFree(folder: Folder, from: string, to: string): void {
  const stat = lstatSync(folder.path(from), { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true || lstatSync(folder.path(to), { throwIfNoEntry: false }) !== undefined) return
  renameSync(folder.path(from), folder.path(to))
}

function removeIfThere(folder: Folder, name: string): void {
  try {
    unlinkSync(folder.path(name))
  } catch {
    // It was never made.
  }
}
