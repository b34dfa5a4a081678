/**
 * Puts a result in the place of its source so that no moment loses anything: the result is written to a temporary file
 * beside it, put on the disk, entered in the journal and given its name; only then is the source removed.
 */
import { randomBytes } from 'node:crypto'
import { type BigIntStats, constants, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { errorCode } from '../../system/errno.ts'
import { giveAttributes } from './attributes.ts'
import type { Folder } from './folder.ts'
import type { Identity, Journal } from './journal.ts'
import { temporaryName } from './names.ts'
import type { Failed, Verdict } from './operations.ts'
import type { Task } from './plan.ts'
import type { Remover } from './remove-source.ts'

export interface Replacing {
  readonly keepSource: boolean
  readonly overwrite: boolean
  readonly preserveTimes: boolean
  readonly remove: Remover
}

/** What gpg made of a file, and what it said. */
export interface Made {
  readonly verdict: Verdict
  readonly remarks: readonly string[]
}

export type Replaced =
  | { readonly outcome: 'replaced' }
  /** The temporary file is gone, and all is as before. */
  | { readonly outcome: 'not made'; readonly failed: Failed; readonly remarks: readonly string[] }
  | { readonly outcome: 'source changed' | 'target exists' }
  /** The result is there, and so is the source. */
  | { readonly outcome: 'source kept'; readonly why: unknown }

/**
 * @param make reads the source, and writes the result.
 * @throws the system's error. All is as before then, but perhaps for a temporary file.
 */
export async function replaceFile(
  folder: Folder,
  { source, target, folder: path }: Task,
  journal: Pick<Journal, 'add'> | undefined,
  { keepSource, overwrite, preserveTimes, remove }: Replacing,
  make: (input: number, output: number) => Promise<Made>,
): Promise<Replaced> {
  const input = await open(folder.path(source), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const temporary = temporaryName(randomBytes(8).toString('hex'))
  let isNamed = false
  try {
    const before = await input.stat({ bigint: true })
    if (!before.isFile()) return { outcome: 'source changed' }
    const output = await open(folder.path(temporary), 'wx', 0o600)
    try {
      const { verdict, remarks } = await make(input.fd, output.fd)
      if (!verdict.whole) return { outcome: 'not made', failed: verdict, remarks }
      await giveAttributes(input, output, before, preserveTimes)
      await output.sync()
      const after = await output.stat({ bigint: true })
      if (!isSame(identityOf(before), identityAt(folder, source))) return { outcome: 'source changed' }
      if (!keepSource)
        await journal?.add({ folder: path, source, target, before: identityOf(before), after: identityOf(after) })
      if (!giveName(folder, temporary, target, overwrite)) return { outcome: 'target exists' }
      isNamed = true
      await folder.sync()
      if (keepSource) return { outcome: 'replaced' }
      if (!isSame(identityOf(before), identityAt(folder, source))) {
        // The source of an earlier moment is not worth keeping, except where it took the place of something.
        if (!overwrite && isSame(identityOf(after), identityAt(folder, target))) unlinkSync(folder.path(target))
        return { outcome: 'source changed' }
      }
      try {
        await remove(folder, source)
      } catch (why) {
        return { outcome: 'source kept', why }
      }
      await folder.sync()
      return { outcome: 'replaced' }
    } finally {
      await output.close()
      if (!isNamed) unlinkSync(folder.path(temporary))
    }
  } finally {
    await input.close()
  }
}

/** @returns false if something has that name, and may not be replaced. */
function giveName(folder: Folder, temporary: string, target: string, overwrite: boolean): boolean {
  if (overwrite) {
    renameSync(folder.path(temporary), folder.path(target))
    return true
  }
  try {
    linkSync(folder.path(temporary), folder.path(target))
    unlinkSync(folder.path(temporary))
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    if (!['EPERM', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error) ?? '')) throw error
  }
  // A file system without hard links.
  if (lstatSync(folder.path(target), { throwIfNoEntry: false }) !== undefined) return false
  renameSync(folder.path(temporary), folder.path(target))
  return true
}

export function identityAt(folder: Folder, name: string): Identity | undefined {
  const stat = lstatSync(folder.path(name), { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? undefined : identityOf(stat)
}

export function isSame(one: Identity, other: Identity | undefined): boolean {
  return other !== undefined && one.inode === other.inode && one.size === other.size && one.modified === other.modified
}

function identityOf({ ino, size, mtimeNs }: BigIntStats): Identity {
  return { inode: String(ino), size: String(size), modified: String(mtimeNs) }
}
