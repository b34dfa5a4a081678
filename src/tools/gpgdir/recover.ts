/** Finishes what an earlier run, which was killed, had begun. */
import { unlinkSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { type Folder, isGone } from './folder.ts'
import { readJournal } from './journal.ts'
import { isTemporary, JOURNAL_NAME } from './names.ts'
import { below, type FoundFile } from './plan.ts'
import type { Remover } from './remove-source.ts'
import { identityAt, isSame } from './replace-file.ts'

export interface Recovered {
  /** Sources that were removed, since their results are whole. Below the top folder. */
  readonly finished: readonly string[]
  /** Temporary files that were removed. */
  readonly temporary: number
}

/**
 * @param found the files of the tree.
 * @param remove undefined: sources are kept in this run, and the journal for a later one.
 * @throws the system's error.
 */
export async function recover(
  top: Folder,
  found: readonly FoundFile[],
  remove: Remover | undefined,
): Promise<Result<Recovered, Failure<'GPGDIR_REFUSED'>>> {
  const finished: string[] = []
  const lines = readJournal(top)
  if (!lines.ok) return lines
  for (const { folder: path, source, target, before, after } of remove === undefined ? [] : lines.value) {
    try {
      using folder = top.below(path)
      // Only what nobody has changed since: both are exactly the files of that run.
      if (!isSame(after, identityAt(folder, target)) || !isSame(before, identityAt(folder, source))) continue
      await folder.sync()
      await remove?.(folder, source)
      finished.push(below(path, source))
    } catch (error) {
      if (isGone(error)) continue
      return refuse(
        'GPGDIR_REFUSED',
        `${below(path, source)} is done since an earlier run, and cannot be removed: ${systemReason(error)}`,
      )
    }
  }
  let temporary = 0
  for (const { folder: path, name, kind } of found) {
    if (kind !== 'file' || !isTemporary(name)) continue
    using folder = top.below(path)
    unlinkSync(folder.path(name))
    temporary++
  }
  if (lines.value.length > 0 && remove !== undefined) unlinkSync(top.path(JOURNAL_NAME))
  return ok({ finished, temporary })
}
