/**
 * A file is written under another name first, and then takes its place. The other name tells the process that writes:
 * so what a process left behind that was killed meanwhile can be found, and removed.
 */
import { createHash, randomBytes } from 'node:crypto'
import { lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isRunning } from './is-running.ts'
import { systemPath } from './system-path.ts'

/** PID_MAX_LIMIT of Linux. */
const LAST_PID = 4_194_304

/** Where this process writes what is to be at `path`. The end is that of no name that somebody types. */
export function draftOf(path: string): string {
  const end = createHash('sha256').update(basename(path)).digest('hex').slice(0, 12)
  return writtenAs(path, end)
}

/** The same in a folder where others make files too: they cannot guess the name, and take it first. */
export function hiddenDraftOf(path: string): string {
  return writtenAs(path, randomBytes(6).toString('hex'))
}

/** @returns all drafts of a file, also those of a version without such an end. @throws the file system's errors. */
export function draftsOf(path: string): readonly string[] {
  return drafts(path).map((one) => one.path)
}

/**
 * Removes drafts of processes that have ended, and of this one, which writes nothing yet. Secrets may be in them. One
 * that cannot be removed stays, as others’ files do.
 */
export function removeDeadDrafts(path: string): void {
  try {
    for (const draft of drafts(path))
      if (draft.hasEnd && (draft.pid === process.pid || !isRunning(draft.pid))) removeOwn(draft.path)
  } catch {
    // The folder cannot be listed. It may still be possible to write there.
  }
}

/** @returns the name of the file that is written under this name first; undefined if it is no name of a draft. */
export function draftedFile(name: string): string | undefined {
  return parseDraft(name)?.file
}

function drafts(path: string) {
  return readdirSync(systemPath(dirname(path))).flatMap((name) => {
    const draft = parseDraft(name)
    return draft?.file === basename(path) ? [{ path: join(dirname(path), name), ...draft }] : []
  })
}

function writtenAs(path: string, end: string): string {
  return `${path}.new-${process.pid}-${end}`
}

/** The names of {@link writtenAs}, and those without an end. */
function parseDraft(name: string) {
  const [, file, digits, end] = /^(.+)\.new-([1-9][0-9]{0,6})(-[0-9a-f]{12})?$/s.exec(name) ?? []
  const pid = Number(digits)
  return file !== undefined && pid <= LAST_PID ? { file, pid, hasEnd: end !== undefined } : undefined
}

/** Root also removes one that was to become somebody else’s. */
function removeOwn(path: string): void {
  const file = systemPath(path)
  const found = lstatSync(file, { throwIfNoEntry: false })
  const own = process.geteuid?.()
  // If it is a link, the link is removed and not its target.
  if (found !== undefined && !found.isDirectory() && (own === 0 || found.uid === own)) unlinkSync(file)
}
