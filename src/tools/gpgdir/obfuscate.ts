/**
 * Obfuscated names on the disk. A map is written, encrypted, before any file or folder gets the name that it tells of:
 * no real name is ever lost. Maps are removed when all that they tell of has its real name again.
 */
import { randomBytes } from 'node:crypto'
import { constants, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { bytesFromText, textFromBytes } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { errorCode, fileReason } from '../../system/errno.ts'
import { readBounded } from '../../system/read-bounded.ts'
import { type Folder, isGone, namesIn } from './folder.ts'
import { type GpgStreams, LONGEST_OUTPUT } from './gpg-stream.ts'
import {
  canBeMapped,
  extendNameMap,
  formatNameMap,
  isObfuscatedFolder,
  type NameMap,
  parseNameMap,
} from './name-map.ts'
import { FOLDER_MAP, isHidden, temporaryName } from './names.ts'
import { argumentsOf, type Means, verdictOf } from './operations.ts'
import { below, type Task } from './plan.ts'

type Refusal = Failure<'GPGDIR_REFUSED'>
type Kind = 'files' | 'folders'

/** Through no link. A pipe that nobody writes to is not waited for. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const LONGEST_PLAIN = 64 * 1024 * 1024

/** A folder that keeps its obfuscated name. */
export interface Unrestored {
  /** Below the top folder. */
  readonly path: string
  readonly real: string
}

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

  /** Renames folders, the deepest first. @param folders below the top one. */
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

  /**
   * Gives the folders of the tree their real names again, from the top down.
   * @returns those that keep their obfuscated names, since something else has the real one. Below the top folder.
   */
  async restoreFolders(): Promise<Result<readonly Unrestored[], Refusal>> {
    const unrestored: Unrestored[] = []
    const waiting = ['']
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      using folder = this.#enter(path)
      if (folder === undefined) continue
      const map = await this.#read(folder, path, 'folders')
      if (!map.ok) return map
      for (const [real, obfuscated] of map.value ?? [])
        if (!renameIfFree(folder, obfuscated, real)) unrestored.push({ path: below(path, obfuscated), real })
      await folder.sync()
      if (map.value !== undefined) this.#removeIfDone(folder, map.value, 'folders')
      waiting.push(...foldersIn(folder, path))
    }
    return ok(unrestored)
  }

  /** What {@link restoreFolders} would do, without doing it. @returns path of a folder → what it would become. */
  async realFolders(): Promise<Result<ReadonlyMap<string, string>, Refusal>> {
    const real = new Map([['', '']])
    const waiting = ['']
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      using folder = this.#enter(path)
      if (folder === undefined) continue
      const map = await this.#read(folder, path, 'folders')
      if (!map.ok) return map
      const names = new Map<string, string>()
      const taken = new Set(namesIn(folder))
      for (const [name, obfuscated] of map.value ?? [])
        if (!taken.has(name) && !names.has(obfuscated)) names.set(obfuscated, name)
      for (const child of foldersIn(folder, path)) {
        const name = child.slice(child.lastIndexOf('/') + 1)
        real.set(child, below(real.get(path) ?? path, names.get(name) ?? name))
        waiting.push(child)
      }
    }
    return ok(real)
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
      const seen = new Set<string>()
      for (const [real, obfuscated] of map.value) {
        if (seen.has(obfuscated)) continue
        seen.add(obfuscated)
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

  /** @returns undefined for a hidden folder that cannot be read: it is left as it is. */
  #enter(path: string): Folder | undefined {
    try {
      return this.#it.top.below(path)
    } catch (error) {
      if (isGone(error) || (errorCode(error) === 'EACCES' && isHidden(path))) return undefined
      throw error
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
    const plain = this.#nameOf(kind)
    const [name, names] = [`${plain}.gpg`, namesIn(folder)]
    const shown = below(path, name)
    try {
      // Somebody decrypted it by hand, or gpgdir 1.9.6 was killed.
      const decrypted = names.includes(plain) ? await readPlain(folder, plain, kind) : undefined
      if (!names.includes(name)) return ok(decrypted)
      await using file = await open(folder.path(name), READ)
      if (!(await file.stat()).isFile()) return refuse('GPGDIR_REFUSED', `${shown} is not a regular file`)
      const run = await this.#it.streams.run(argumentsOf('decrypt', this.#it.means), {
        input: file.fd,
        output: 'memory',
      })
      const verdict = verdictOf('decrypt', run)
      // To work with a part of it would lose the other names.
      if ((run.output?.length ?? 0) >= LONGEST_OUTPUT) return refuse('GPGDIR_REFUSED', `${shown} is too long`)
      if (verdict.whole && run.output !== undefined) {
        const map = parseNameMap(textFromBytes(run.output), kind)
        return ok(
          decrypted === undefined ? map : new Map([...map, ...[...decrypted].filter(([real]) => !map.has(real))]),
        )
      }
      return refuse(
        'GPGDIR_REFUSED',
        `${shown} has the real names, and does not decrypt: ${verdict.whole ? '' : verdict.why}`,
      )
    } catch (error) {
      return refuse(
        'GPGDIR_REFUSED',
        `${shown}: ${errorCode(error) === 'ELOOP' ? 'is a symbolic link' : fileReason(error)}`,
      )
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
      removeIfThere(folder, this.#nameOf(kind))
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

/** @returns false if the real name is taken: all stays as it is, and the map too. */
function renameIfFree(folder: Folder, from: string, to: string): boolean {
  if (lstatSync(folder.path(from), { throwIfNoEntry: false })?.isDirectory() !== true) return true
  if (lstatSync(folder.path(to), { throwIfNoEntry: false }) !== undefined) return false
  renameSync(folder.path(from), folder.path(to))
  return true
}

/** Below the top folder. Those of GnuPG are left out. @param path of the folder itself. */
function foldersIn(folder: Folder, path: string): readonly string[] {
  return namesIn(folder)
    .filter((name) => name !== '.gnupg' && lstatSync(folder.path(name), { throwIfNoEntry: false })?.isDirectory())
    .map((name) => below(path, name))
}

async function readPlain(folder: Folder, name: string, kind: Kind): Promise<NameMap | undefined> {
  await using file = await open(folder.path(name), READ)
  if (!(await file.stat()).isFile()) return undefined
  const bytes = readBounded(file.fd, LONGEST_PLAIN)
  return bytes === undefined ? undefined : parseNameMap(textFromBytes(bytes), kind)
}

function removeIfThere(folder: Folder, name: string): void {
  try {
    unlinkSync(folder.path(name))
  } catch {
    // It was never made.
  }
}
