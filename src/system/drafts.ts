/**
 * A file is written under another name first, and then takes its place. The other name tells the process that writes:
 * so what a process left behind that was killed meanwhile can be found, and removed.
 */
import { createHash, randomBytes } from 'node:crypto'
import { lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isRunning } from './is-running.ts'
import { systemPath } from './system-path.ts'

/** Between the path of a file and the id of the process that writes it anew. */
const DRAFT = '.new-'
/** PID_MAX_LIMIT of Linux. */
const LAST_PID = 4_194_304

/** Where this process writes what is to be at `path`. The end is that of no name that somebody types. */
export function draftOf(path: string): string {
  const end = createHash('sha256').update(basename(path)).digest('hex').slice(0, 12)
  return `${path}${DRAFT}${process.pid}-${end}`
}

/** The same in a folder where others make files too: they cannot guess the name, and take it first. */
export function hiddenDraftOf(path: string): string {
  return `${path}${DRAFT}${process.pid}-${randomBytes(6).toString('hex')}`
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
    for (const { pid, hasEnd, ...one } of drafts(path))
      if (hasEnd && (pid === process.pid || !isRunning(pid))) removeOwn(one.path)
  } catch {
    // The folder cannot be listed. It may still be possible to write there.
  }
}

function drafts(path: string) {
  const beginning = `${basename(path)}${DRAFT}`
  return readdirSync(systemPath(dirname(path))).flatMap((name) => {
    const [, digits, end] = /^([1-9][0-9]{0,6})(-[0-9a-f]{12})?$/.exec(name.slice(beginning.length)) ?? []
    const pid = Number(digits)
    return name.startsWith(beginning) && pid <= LAST_PID
      ? [{ path: join(dirname(path), name), pid, hasEnd: end !== undefined }]
      : []
  })
}

/** Root also removes one that was to become somebody else’s. */
function removeOwn(path: string): void {
  const file = systemPath(path)
  const found = lstatSync(file, { throwIfNoEntry: false })
  const own = process.geteuid?.()
  // If it is a link, the link is removed and not its target.
  if (found !== undefined && !found.isDirectory() && (own === 0 || found.uid === own)) unlinkSync(file)
}
