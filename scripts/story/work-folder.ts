/** The story's only folder, with a folder for each host, and ghostport as an installed command. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { markOf, type ProcessMark, stateOf } from './process-mark.ts'

export const clone = join(import.meta.dirname, '..', '..')
/** Where the clone is mounted, so that accounts that may not read its parent folders find the program too. */
export const packageFolder = (work: string) => join(work, 'package')

const PREFIX = 'ghostport-story-'
/** In the folder: the processes that use it. */
const OWNERS = 'owners.json'

export function makeWorkFolder(): string {
  const work = mkdtempSync(join(tmpdir(), PREFIX))
  setOwners(work, [markOf(process.pid)])
  chmodSync(work, 0o755)
  for (const name of ['spaclient', 'spaserver', 'scanner', 'bin', 'package', 'home']) mkdirSync(join(work, name))
  return work
}

/** Only for the process that made it, outside of all mounts below it. */
export function removeWorkFolder(work: string): void {
  if (!existsSync(work)) return
  const mounted = packageFolder(work)
  // A folder that shows the clone must never be emptied: the mount point cannot be removed, and then nothing else is.
  if (existsSync(mounted)) rmdirSync(mounted)
  rmSync(work, { recursive: true, force: true })
}

/** The folder is in use as long as one of these processes lives. */
export function setOwners(work: string, owners: readonly ProcessMark[]): void {
  writeFileSync(join(work, OWNERS), JSON.stringify(owners))
}

/**
 * Removes folders of stories that were killed: folders of this user whose processes are all gone, and no others. Root
 * does not touch folders of other users, who could change them meanwhile.
 *
 * @param except a folder that stays in any case
 */
export function sweepWorkFolders(except: string | undefined): void {
  for (const name of readdirSync(tmpdir())) {
    const work = join(tmpdir(), name)
    if (!name.startsWith(PREFIX) || work === except) continue
    try {
      const { uid } = lstatSync(work)
      if (uid !== process.getuid?.()) continue
      const owners = JSON.parse(readFileSync(join(work, OWNERS), 'utf8')) as readonly ProcessMark[]
      if (owners.every((owner) => stateOf(owner) === 'gone')) removeWorkFolder(work)
    } catch {
      // It does not name its owner, or another process is just removing it.
    }
  }
}

/** Puts `ghostport` on the path, run from `root`: the clone, or the place where it is mounted. */
export function installCommand(work: string, root: string): void {
  const node = realpathSync(process.execPath)
  const here = realpathSync(clone)
  const seen = node.startsWith(`${here}/`) ? join(root, node.slice(here.length)) : node
  const command = join(work, 'bin', 'ghostport')
  writeFileSync(command, `#!/bin/sh\nexec ${quote(seen)} ${quote(join(root, 'dist', 'cli', 'ghostport.js'))} "$@"\n`)
  chmodSync(command, 0o755)
}

/** The environment of the story's commands. */
export function environment(work: string, home: string): NodeJS.ProcessEnv {
  const system = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH: `${join(work, 'bin')}:${system}`, HOME: home, LC_ALL: 'C.UTF-8', TMPDIR: work }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
