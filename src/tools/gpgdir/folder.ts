/**
 * A folder of the tree, held open. Names in it are reached through its descriptor, so that nobody who moves folders of
 * the tree meanwhile leads gpgdir to another place: below the top folder no symbolic link is followed.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { textFromBytes } from '../../bytes/text.ts'
import { systemPath } from '../../system/system-path.ts'

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY

export class Folder implements Disposable {
  readonly #descriptor: number

  private constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** @throws the system's error. */
  static top(path: string): Folder {
    return new Folder(openSync(systemPath(path), DIRECTORY))
  }

  /** The folder at this path below, as `a/b`; `''` is this one again. @throws the system's error. */
  below(path: string): Folder {
    let at = openSync(`/proc/self/fd/${this.#descriptor}`, DIRECTORY)
    for (const part of path === '' ? [] : path.split('/')) {
      const next = (): number => openSync(inside(at, part), DIRECTORY | constants.O_NOFOLLOW)
      try {
        at = replaced(at, next())
      } catch (error) {
        closeSync(at)
        throw error
      }
    }
    return new Folder(at)
  }

  /** The path of a name in it, for `node:fs`. Only while the folder is open. */
  path(name: string): Buffer {
    return inside(this.#descriptor, name)
  }

  /** So that names which were added or removed outlive a power failure. */
  async sync(): Promise<void> {
    const handle: FileHandle = await open(`/proc/self/fd/${this.#descriptor}`, DIRECTORY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

function replaced(before: number, after: number): number {
  closeSync(before)
  return after
}

function inside(descriptor: number, name: string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${descriptor}/`), Buffer.from(systemPath(name))])
}

/** A name as the system gives it. */
export function nameOf(bytes: Buffer): string {
  return textFromBytes(bytes)
}
