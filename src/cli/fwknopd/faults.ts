/** Tells what is wrong with a configuration: each fault, first in the words of fwknopd, then in ours. */
import type { ConfigSource } from '../../config/load.ts'
import type { ConfigFiles } from '../../config/reading/config-files.ts'
import type { Notice } from '../../config/reading/notice.ts'
import { reviewConfig } from '../../config/review.ts'
import type { Failure } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { wordsFor, wordsOfFwknopd } from './fault-words.ts'

/** @returns the exit status. */
export function tellFault(failure: Failure, terminal: Terminal): number {
  const words = wordsOfFwknopd(failure)
  if (words !== undefined) terminal.note(`[*] ${words}`)
  return terminal.fail(failure)
}

/** All faults of a configuration that was refused for `first`. @returns the exit status. */
export function tellFaults(files: ConfigFiles, source: ConfigSource, first: Failure, terminal: Terminal): number {
  const { faults } = reviewConfig(files, source)
  // The files were made good in the meantime.
  if (faults.length === 0) return tellFault(first, terminal)
  const [status = 1] = faults.map((fault) => tellFault(fault, terminal))
  return status
}

/** What a start goes on with. */
export function tellNotices(notices: readonly Notice[], terminal: Terminal): void {
  for (const { level, text, at } of notices) {
    const words = wordsFor(text)
    if (words !== undefined) terminal.note(`[*] ${words}`)
    terminal.note(`${level}: ${at === undefined ? '' : `${at.file}:${at.line}: `}${text}`)
  }
}
