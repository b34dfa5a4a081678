/** Reads a tree: every file in it, without following links. */
import { accessSync, constants, lstatSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { type Folder, isGone, namesIn } from './folder.ts'
import { isWorkedIn } from './lock.ts'
import { isHidden, LOCK_NAME } from './names.ts'
import { below, type FoundFile } from './plan.ts'

const OWNER_WRITES = 0o200

export interface FoundTree {
  readonly files: readonly FoundFile[]
  /** Below the top folder, each before the folders in it. Without those of GnuPG. */
  readonly folders: readonly string[]
}

export interface Walk {
  readonly recurse: boolean
  /** Files will be made and removed. */
  readonly changes: boolean
  /** Hidden files are worked on too. */
  readonly force: boolean
}

/**
 * @returns all files; `GPGDIR_REFUSED` for a folder that cannot be read or written: its files would be left out without
 * a word. Not for a hidden one, whose files are left anyway.
 */
export function walkTree(top: Folder, { recurse, changes, force }: Walk): Result<FoundTree, Failure<'GPGDIR_REFUSED'>> {
  const found: FoundFile[] = []
  const folders: string[] = []
  const waiting = ['']
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const shown = folder === '' ? 'the folder' : folder
    const mayFail = !force && isHidden(folder)
    try {
      using opened = top.below(folder)
      const { mode } = lstatSync(opened.path('.'))
      if (changes && (mode & OWNER_WRITES) === 0 && !mayFail)
        return refuse('GPGDIR_REFUSED', `${shown} is write-protected`)
      accessSync(opened.path('.'), changes ? constants.W_OK | constants.X_OK : constants.X_OK)
      for (const name of namesIn(opened)) {
        const stat = lstatSync(opened.path(name), { bigint: true, throwIfNoEntry: false })
        if (stat === undefined) continue // removed meanwhile
        if (stat.isDirectory()) {
          if (!recurse || name === '.gnupg') continue
          folders.push(below(folder, name))
          waiting.push(below(folder, name))
          continue
        }
        if (name === LOCK_NAME && folder !== '' && changes && isWorkedIn(opened))
          return refuse('GPGDIR_REFUSED', `another gpgdir works in ${folder}`)
        found.push({
          folder,
          name,
          kind: stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'link' : 'other',
          size: Number(stat.size),
          links: Number(stat.nlink),
          modified: stat.mtimeNs,
        })
      }
    } catch (error) {
      if (folder !== '' && (isGone(error) || mayFail)) {
        // Replaced meanwhile, or left as it is.
        folders.splice(folders.indexOf(folder), 1)
        continue
      }
      return refuse('GPGDIR_REFUSED', `${shown}: ${fileReason(error)}`)
    }
  }
  return ok({ files: found, folders })
}
