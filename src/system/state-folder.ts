/**
 * The folder of a server’s own files. It belongs to the user that the server runs as. Root may make files in it
 * before it becomes that user.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { textFromBytes } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { milliseconds } from '../units.ts'
import { errorCode, fileReason } from './errno.ts'
import { tryLock } from './file-lock.ts'
import { judgeStat, judgeTrail } from './file-trust.ts'
import type { Account } from './privilege.ts'
import { readBounded } from './read-bounded.ts'
import { replaceServerFile, syncFolder } from './server-file.ts'
import { systemPath } from './system-path.ts'

export type StateFailure = Failure<'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE' | 'CONFIG_UNWRITABLE'>

const MOST_BYTES = 8 * 1024 * 1024
/** What is done under a lock takes milliseconds. */
const LOCK_TIME = milliseconds(3_000)
const LOCK_PAUSE = milliseconds(5)
const SERVER_LOCK = 'running.lock'

/** The user of the folder may have made it, while it was that user’s, with a file of root’s. */
function hasOtherName(path: string): boolean {
  const stat = lstatSync(systemPath(path))
  return !stat.isDirectory() && stat.nlink > 1
}

export class StateFolder {
  readonly path: string
  readonly #owner: Pick<Account, 'uid' | 'gid'> | undefined
  readonly #owners: ReadonlySet<number>

  private constructor(path: string, owner: Pick<Account, 'uid' | 'gid'> | undefined) {
    this.path = path
    this.#owner = owner
    this.#owners = new Set([0, process.geteuid?.() ?? 0, ...(owner === undefined ? [] : [owner.uid])])
  }

  /**
   * Makes the folder, mode 0700, if it is missing.
   * @param owner whose it is to be, where root makes it; undefined: the user of this process.
   */
  static open(path: string, owner: Pick<Account, 'uid' | 'gid'> | undefined): Result<StateFolder, StateFailure> {
    const folder = new StateFolder(path, owner)
    try {
      const exposed = judgeTrail(join(path, 'file'), { owners: folder.#owners, alone: true })
      if (exposed !== undefined) return { ok: false, failure: exposed }
      const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
      if (found === undefined) mkdirSync(systemPath(path), { mode: 0o700 })
      // systemd gives it and its files to root at each start, because the gateway starts as root.
      if (owner !== undefined && (found === undefined || found.uid === 0)) {
        chmodSync(systemPath(path), 0o700)
        // While the folder is root's, nobody else can put another file in the place of one.
        const paths = readdirSync(systemPath(path)).map((name) => join(path, name))
        const foreign = paths.find(hasOtherName)
        if (foreign !== undefined)
          return refuse(
            'CONFIG_EXPOSED',
            `${foreign} is a hard link: to give it away would give another file away too`,
            {
              suggestion: `rm ${foreign}`,
            },
          )
        for (const file of paths) lchownSync(systemPath(file), owner.uid, owner.gid)
        chownSync(systemPath(path), owner.uid, owner.gid)
      }
      return ok(folder)
    } catch (error) {
      if (errorCode(error) === 'ENOENT')
        return refuse('CONFIG_UNWRITABLE', `${path}: there is no folder ${dirname(path)}`)
      return refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`)
    }
  }

  /** @returns undefined if there is no such file. */
  read(name: string): Result<string | undefined, StateFailure> {
    const path = join(this.path, name)
    let descriptor: number | undefined
    try {
      const exposed = judgeTrail(path, { owners: this.#owners, alone: true })
      if (exposed !== undefined) return { ok: false, failure: exposed }
      descriptor = openSync(systemPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      const stat = fstatSync(descriptor)
      const fault = judgeStat(path, stat, this.#owners)
      if (fault !== undefined) return { ok: false, failure: fault }
      if (!stat.isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
      const bytes = readBounded(descriptor, MOST_BYTES)
      return bytes === undefined
        ? refuse('CONFIG_UNREADABLE', `${path} has more than ${MOST_BYTES} bytes`)
        : ok(textFromBytes(bytes))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return ok(undefined)
      return refuse('CONFIG_UNREADABLE', `${path}: ${fileReason(error)}`)
    } finally {
      if (descriptor !== undefined) closeSync(descriptor)
    }
  }

  /**
   * Waits until no other process has the lock of this name, and takes it. The kernel releases it with the process.
   * @returns what releases it; CONFIG_UNWRITABLE if another one holds it for seconds.
   */
  async lock(name: string): Promise<Result<() => void, StateFailure>> {
    const taken = await this.#lock(name)
    if (!taken.ok) return taken
    return taken.value === undefined
      ? refuse('CONFIG_UNWRITABLE', `${join(this.path, name)}: another process has held it for ${LOCK_TIME / 1_000} s`)
      : ok(taken.value)
  }

  /**
   * For a server, at its start: two of them would change the same files, each by what it knows alone. One that is about
   * to end is waited for. The kernel ends it with the process.
   * @returns INSTANCE_RUNNING if another one goes on.
   */
  async keepToOneServer(): Promise<Result<void, StateFailure | Failure<'INSTANCE_RUNNING'>>> {
    const taken = await this.#lock(SERVER_LOCK)
    if (!taken.ok) return taken
    return taken.value === undefined
      ? refuse('INSTANCE_RUNNING', `another process has the folder ${this.path} (STATE_FOLDER)`, {
          suggestion: 'end that one, or give each its own STATE_FOLDER',
        })
      : ok(undefined)
  }

  /** @returns undefined if another process holds it for seconds. */
  async #lock(name: string): Promise<Result<(() => void) | undefined, StateFailure>> {
    const path = join(this.path, name)
    let descriptor: number | undefined
    try {
      const exposed = judgeTrail(path, { owners: this.#owners, alone: true })
      if (exposed !== undefined) return { ok: false, failure: exposed }
      descriptor = this.#openLock(path)
      const stat = fstatSync(descriptor)
      const fault = judgeStat(path, stat, this.#owners)
      if (fault !== undefined) return { ok: false, failure: fault }
      const opened = descriptor
      for (const until = performance.now() + LOCK_TIME; ; await delay(LOCK_PAUSE)) {
        const taken = tryLock(opened)
        if (taken === 'taken') {
          descriptor = undefined
          return ok(() => closeSync(opened))
        }
        if (taken !== 'held') return refuse('CONFIG_UNWRITABLE', `${path} cannot be locked: ${taken.why}`)
        if (performance.now() > until) return ok(undefined)
      }
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`)
    } finally {
      if (descriptor !== undefined) closeSync(descriptor)
    }
  }

  #openLock(path: string): number {
    const how = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK
    try {
      const made = openSync(systemPath(path), how | constants.O_CREAT | constants.O_EXCL, 0o600)
      // Only a file that was just made: another one may be a link to a file of root's.
      if (process.geteuid?.() === 0 && this.#owner !== undefined) fchownSync(made, this.#owner.uid, this.#owner.gid)
      return made
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
      return openSync(systemPath(path), how)
    }
  }

  /** In one step, mode 0600. It is on disk when this returns. */
  write(name: string, text: string): Result<void, StateFailure> {
    const path = join(this.path, name)
    try {
      const exposed = judgeTrail(path, { owners: this.#owners, alone: true })
      if (exposed !== undefined) return { ok: false, failure: exposed }
      replaceServerFile(path, text, 0o600, process.geteuid?.() === 0 ? this.#owner : undefined)
      syncFolder(this.path)
      return ok(undefined)
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`)
    }
  }

  /** The names of its files. */
  list(): Result<readonly string[], StateFailure> {
    try {
      return ok(readdirSync(systemPath(this.path)))
    } catch (error) {
      return refuse('CONFIG_UNREADABLE', `${this.path}: ${fileReason(error)}`)
    }
  }

  /** One that is not there is removed. */
  remove(name: string): Result<void, StateFailure> {
    const path = join(this.path, name)
    try {
      rmSync(systemPath(path), { force: true })
      syncFolder(this.path)
      return ok(undefined)
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`)
    }
  }
}
