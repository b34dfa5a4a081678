/** Finishes what an earlier run, which was killed, had begun. */
import { unlinkSync } from 'node:fs'
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
 * @throws the system's error.
 */
export async function recover(top: Folder, found: readonly FoundFile[], remove: Remover): Promise<Recovered> {
  const finished: string[] = []
  const lines = readJournal(top)
  for (const { folder: path, source, target, before, after } of lines) {
    try {
      using folder = top.below(path)
      // Only what nobody has changed since: both are exactly the files of that run.
      if (!isSame(after, identityAt(folder, target)) || !isSame(before, identityAt(folder, source))) continue
      await folder.sync()
      await remove(folder, source)
      finished.push(below(path, source))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
  let temporary = 0
  for (const { folder: path, name, kind } of found) {
    if (kind !== 'file' || !isTemporary(name)) continue
    using folder = top.below(path)
    unlinkSync(folder.path(name))
    temporary++
  }
  if (lines.length > 0) unlinkSync(top.path(JOURNAL_NAME))
  return { finished, temporary }
}
