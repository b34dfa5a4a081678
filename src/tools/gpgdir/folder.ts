/**
 * A folder of the tree, held open. Names in it are reached through its descriptor, so that nobody who moves folders of
 * the tree meanwhile leads gpgdir to another place: below the top folder no symbolic link is followed.
 */
import { closeSync, constants, openSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { textFromBytes } from '../../bytes/text.ts'
import { errorCode } from '../../system/errno.ts'
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
      const parent = at
      try {
        at = openSync(inside(parent, part), DIRECTORY | constants.O_NOFOLLOW)
      } finally {
        closeSync(parent)
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
    await using handle = await open(`/proc/self/fd/${this.#descriptor}`, DIRECTORY)
    await handle.sync()
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

function inside(descriptor: number, name: string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${descriptor}/`), Buffer.from(systemPath(name))])
}

/** The names in the folder, as `textFromBytes` gives them. @throws the system's error. */
export function namesIn(folder: Folder): readonly string[] {
  return readdirSync(folder.path('.'), { encoding: 'buffer' }).map(textFromBytes)
}

/** Whether an error says that a folder or file is not there any more, or that a link is in its place. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')
}
