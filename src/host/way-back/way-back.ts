/**
 * The undo journal: what was changed on this host, and how it is taken back. Each inverse is on disk before its change
 * is made. So the changes can be taken back after any accident, also half way through one of them.
 *
 * In its folder: `changes.json` (for us), `undo.sh` (the same for a shell, see inverse.ts), `copies/` (files as they
 * were), `pending` (the changes wait for a confirmation), `undone`. pending.ts adds `waiting.json`.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { jsonLine } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { acquireInstanceLock, type InstanceLock } from '../../system/instance-lock.ts'
import { prepareServerFile, replaceServerFile, syncFolder } from '../../system/server-file.ts'
import { type Ran, runHere } from '../run-here.ts'
import { type Change, type Inverse, renderScript } from './inverse.ts'
import { type JournalText, parseJournal } from './parse-journal.ts'
import { WAY_BACK_FOLDER } from './units.ts'

/** `CHANGE_FAILED`: the change was not made. Its inverse is in the journal all the same, and does no harm. */
export type ChangeFailure = Failure<
  'CHANGE_FAILED' | 'CONFIG_EXPOSED' | 'CONFIG_UNWRITABLE' | 'CONFIG_UNREADABLE' | 'INSTANCE_RUNNING'
>

/** A file that is to have this text. */
export interface WantedFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
  readonly mode: number
}

/** A program to run, and the one that takes its effect back. */
export interface WantedRun {
  readonly argv: readonly [string, ...string[]]
  /** Absent: an earlier change of the journal takes its effect back too. */
  readonly inverse?: Extract<Inverse, { readonly kind: 'run' }>
  readonly what: string
}

/** Where the parts of a journal are. */
export interface JournalPaths {
  readonly folder: string
  readonly changes: string
  readonly script: string
  readonly copies: string
  readonly pending: string
  readonly undone: string
}

export function journalPaths(folder: string = WAY_BACK_FOLDER): JournalPaths {
  const at = (name: string): string => join(folder, name)
  return {
    folder,
    changes: at('changes.json'),
    script: at('undo.sh'),
    copies: at('copies'),
    pending: at('pending'),
    undone: at('undone'),
  }
}

export class WayBack {
  readonly paths: JournalPaths
  readonly #lock: InstanceLock
  #changes: readonly Change[]
  /** How many of them, from the first on, were confirmed. */
  #confirmed: number

  private constructor(paths: JournalPaths, lock: InstanceLock, { changes, confirmed }: JournalText) {
    this.paths = paths
    this.#lock = lock
    this.#changes = changes
    this.#confirmed = confirmed
  }

  /**
   * Opens the journal of this host, and makes an empty one where there is none.
   * @returns INSTANCE_RUNNING: another command of ours is changing this host. CONFIG_EXPOSED: others could change the
   * journal. CONFIG_UNREADABLE: it is damaged. Nothing was changed.
   */
  static open(folder: string = WAY_BACK_FOLDER): Result<WayBack, ChangeFailure> {
    const paths = journalPaths(folder)
    try {
      const exposed = prepareServerFile(paths.changes)
      if (exposed !== undefined) return { ok: false, failure: exposed }
      const lock = acquireInstanceLock(join(folder, 'lock'))
      if (!lock.ok) return lock
      const text = read(paths)
      if (text.ok) return ok(new WayBack(paths, lock.value, text.value))
      lock.value.release()
      return text
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${folder}: ${fileReason(error)}`)
    }
  }

  /** In the order in which they were made. */
  get changes(): readonly Change[] {
    return this.#changes
  }

  /** Those that nobody confirmed: the ones that {@link undo} and the dead-man switch take back. */
  get unconfirmed(): readonly Change[] {
    return this.#changes.slice(this.#confirmed)
  }

  /** Whether the changes still wait for a confirmation. */
  get isPending(): boolean {
    return existsSync(this.paths.pending)
  }

  /**
   * From now on, a reboot takes back what is not confirmed, until {@link confirm}.
   * @throws the file system’s errors.
   */
  await(): void {
    this.#save()
    rmSync(this.paths.undone, { force: true })
    replaceServerFile(this.paths.pending, '', 0o600)
    syncFolder(this.paths.folder)
  }

  /**
   * The changes stay. The journal stays too, for when ghostport is taken off this host.
   * @throws the file system's errors.
   */
  confirm(): void {
    // In this order: as long as the script takes anything back, somebody runs it.
    this.#confirmed = this.#changes.length
    this.#save()
    rmSync(this.paths.pending, { force: true })
    syncFolder(this.paths.folder)
  }

  /** Makes the folder, mode 0755, and those above it. Folders that are there stay as they are. */
  folder(path: string): Result<void, ChangeFailure> {
    if (existsSync(path)) return ok(undefined)
    const above = dirname(path) === path ? ok(undefined) : this.folder(dirname(path))
    if (!above.ok) return above
    return this.#change({ what: `made the folder ${path}`, inverse: { kind: 'folder', path } }, () => {
      mkdirSync(path, { mode: 0o755 })
      syncFolder(dirname(path))
    })
  }

  /** @returns whether the file had to be written: false if it has this text already. */
  file({ path, text, mode }: WantedFile): Result<boolean, ChangeFailure> {
    try {
      const found = lstatSync(path, { throwIfNoEntry: false })
      if (found !== undefined && !found.isFile())
        return refuse('CHANGE_FAILED', `${path} is not a regular file`, { suggestion: 'move it away' })
      if (found !== undefined && (found.mode & 0o7777) === mode && readFileSync(path, 'utf8') === text) return ok(false)
      const above = this.folder(dirname(path))
      if (!above.ok) return above
      const wrote = createHash('sha256').update(text).digest('hex')
      const copy = found === undefined ? undefined : this.#copy(path)
      if (copy !== undefined && !copy.ok) return copy
      const inverse: Inverse = { kind: 'file', path, wrote, ...(copy === undefined ? {} : { copy: copy.value }) }
      const what = found === undefined ? `wrote ${path}` : `changed ${path}`
      const changed = this.#change({ what, inverse }, () => {
        replaceServerFile(path, text, mode)
        syncFolder(dirname(path))
      })
      return changed.ok ? ok(true) : changed
    } catch (error) {
      return refuse('CHANGE_FAILED', `${path}: ${fileReason(error)}`)
    }
  }

  /** Runs a program. @returns what it printed. CHANGE_FAILED with its own words. */
  run({ argv, inverse, what }: WantedRun): Result<string, ChangeFailure> {
    const box: { ran?: Ran } = {}
    const act = (): void => {
      box.ran = runHere(argv)
    }
    if (inverse === undefined) act()
    else {
      const changed = this.#change({ what, inverse }, act)
      if (!changed.ok) return changed
    }
    const { ran } = box
    if (ran?.status === 0) return ok(ran.output)
    return refuse('CHANGE_FAILED', `${argv.join(' ')}: ${ran?.reason ?? 'it was not run'}`)
  }

  /** Records what is done when all later changes were taken back. Changes nothing now. */
  owe(change: Change): Result<void, ChangeFailure> {
    return this.#change(change, () => {})
  }

  /**
   * Takes back what is not confirmed, by the script, as the dead-man switch does. Also on a full disk.
   * @returns CHANGE_FAILED if something could not be taken back; the journal then stays, and may be tried again.
   */
  undo(): Result<void, ChangeFailure> {
    const { status, reason } = this.#runScript()
    if (status !== 0)
      return refuse('CHANGE_FAILED', `not all was taken back: ${reason}`, { suggestion: `sh ${this.paths.script}` })
    this.#changes = this.#changes.slice(0, this.#confirmed)
    try {
      this.#clear()
    } catch {
      // `undone` is there: the next one that opens the journal knows what was taken back.
    }
    return ok(undefined)
  }

  /** From the disk; from memory where the journal cannot be written, since its script may be an older one. */
  #runScript(): Ran {
    try {
      this.#save()
    } catch {
      // In braces: the shell reads all of it before it runs the first command.
      const input = `{\n${renderScript(this.unconfirmed, this.paths)}} </dev/null\n`
      return runHere(['/bin/sh', '-s'], { input })
    }
    return runHere(['/bin/sh', this.paths.script])
  }

  /** Takes back all changes, the confirmed ones too: for when ghostport is taken off this host. */
  undoAll(): Result<void, ChangeFailure> {
    this.#confirmed = 0
    return this.undo()
  }

  /** After an undo. The copies that confirmed changes need stay. */
  #clear(): void {
    const { changes, script, copies, pending, undone } = this.paths
    if (this.#changes.length > 0) this.#save()
    const gone = this.#changes.length > 0 ? [pending, undone] : [pending, changes, script, undone]
    for (const path of gone) rmSync(path, { force: true })
    if (this.#changes.length === 0) rmSync(copies, { recursive: true, force: true })
    syncFolder(this.paths.folder)
  }

  /** Lets other commands of ours change this host. */
  close(): void {
    this.#lock.release()
  }

  /** @param act may throw the file system's errors. */
  #change(change: Change, act: () => void): Result<void, ChangeFailure> {
    try {
      this.#changes = [...this.#changes, change]
      this.#save()
      act()
      return ok(undefined)
    } catch (error) {
      return refuse('CHANGE_FAILED', `${change.what}: ${fileReason(error)}`)
    }
  }

  /** The script first: it is what helps if the journal cannot be written any more. */
  #save(): void {
    const text = jsonLine({ version: 1, confirmed: this.#confirmed, changes: this.#changes })
    replaceServerFile(this.paths.script, renderScript(this.unconfirmed, this.paths), 0o700)
    replaceServerFile(this.paths.changes, text, 0o600)
    syncFolder(this.paths.folder)
  }

  /** With owner, mode, access list and extended attributes: cp(1) knows how. */
  #copy(path: string): Result<string, ChangeFailure> {
    const { copies } = this.paths
    mkdirSync(copies, { mode: 0o700, recursive: true })
    const copy = join(copies, String(this.#changes.length))
    const { status, reason } = runHere(['cp', '-a', '--no-target-directory', '--', path, copy])
    if (status !== 0) return refuse('CHANGE_FAILED', `${path} cannot be copied: ${reason}`)
    const descriptor = openSync(copy, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    syncFolder(copies)
    return ok(copy)
  }
}

function read(paths: JournalPaths): Result<JournalText, ChangeFailure> {
  if (!existsSync(paths.changes)) return ok({ changes: [], confirmed: 0 })
  if (statSync(paths.changes).size > MOST_BYTES) return damaged(paths, 'it is too long')
  const parsed = parseJournal(readFileSync(paths.changes, 'utf8'))
  if (!parsed.ok) return damaged(paths, parsed.failure.detail)
  const { changes, confirmed } = parsed.value
  // The dead-man switch has done its work.
  const undone = existsSync(paths.undone) && !existsSync(paths.pending)
  return ok(undone ? { changes: changes.slice(0, confirmed), confirmed } : parsed.value)
}

/** A journal of thousands of changes is shorter. */
const MOST_BYTES = 1 << 20

/** The script needs no journal. Once it has done its work, or has none, only the journal is in the way. */
function damaged({ changes, script, pending }: JournalPaths, why: string): Result<never, ChangeFailure> {
  const waits = existsSync(pending)
  const what = waits ? 'changes wait for a confirmation' : 'what it listed has to be taken back by hand'
  return refuse('CONFIG_UNREADABLE', `${changes}: ${why}; ${what}`, {
    suggestion: waits ? `sh ${script}` : `mv ${changes} ${changes}.damaged`,
  })
}
