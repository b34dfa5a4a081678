/**
 * A file is written under another name first, and then takes its place. The other name tells the process that writes:
 * so what a process left behind that was killed meanwhile can be found, and removed.
 */
import { randomBytes } from 'node:crypto'
import { lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isRunning } from './is-running.ts'
import { systemPath } from './system-path.ts'

/** Between the path of a file and the id of the process that writes it anew. */
const DRAFT = '.new-'

/** Where this process writes what is to be at `path`. */
export function draftOf(path: string): string {
  return `${path}${DRAFT}${process.pid}`
}

/** The same in a folder where others make files too: they cannot guess the name, and take it first. */
export function hiddenDraftOf(path: string): string {
  return `${draftOf(path)}-${randomBytes(6).toString('hex')}`
}

/** @returns the paths of all drafts of a file. @throws the file system's errors. */
export function draftsOf(path: string): readonly string[] {
  return drafts(path).map((one) => one.path)
}

/**
 * Removes drafts of processes that have ended, and of this one, which writes nothing yet. Secrets may be in them. One
 * that cannot be removed stays, as others’ files do.
 */
export function removeDeadDrafts(path: string): void {
  try {
    for (const one of drafts(path)) if (one.pid === process.pid || !isRunning(one.pid)) removeOwn(one.path)
  } catch {
    // The folder cannot be listed. It may still be possible to write there.
  }
}

function drafts(path: string): readonly { readonly path: string; readonly pid: number }[] {
  const beginning = `${basename(path)}${DRAFT}`
  return readdirSync(systemPath(dirname(path))).flatMap((name) => {
    const [, pid] = /^([1-9][0-9]{0,9})(?:-[0-9a-f]{12})?$/.exec(name.slice(beginning.length)) ?? []
    return pid !== undefined && name.startsWith(beginning)
      ? [{ path: join(dirname(path), name), pid: Number(pid) }]
      : []
  })
}

function removeOwn(path: string): void {
  const file = systemPath(path)
  const found = lstatSync(file, { throwIfNoEntry: false })
  // If it is a link, the link is removed and not its target.
  if (found !== undefined && !found.isDirectory() && found.uid === process.geteuid?.()) unlinkSync(file)
}
