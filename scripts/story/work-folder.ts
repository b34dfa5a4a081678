/** The one folder that the story makes, with a folder for each host, and ghostport as an installed command. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const clone = join(import.meta.dirname, '..', '..')
/** Where the clone is mounted, so that also accounts that may not look into its parents find the program. */
export const packageFolder = (work: string) => join(work, 'package')

export function makeWorkFolder(): string {
  const work = mkdtempSync(join(tmpdir(), 'ghostport-story-'))
  chmodSync(work, 0o755)
  for (const name of ['spaclient', 'spaserver', 'scanner', 'bin', 'package', 'home']) mkdirSync(join(work, name))
  return work
}

/** Only for the process that made it, outside of whatever is mounted below it. */
export function removeWorkFolder(work: string): void {
  if (!existsSync(work)) return
  const mounted = packageFolder(work)
  // Never empty a folder that shows the clone: a mount point cannot be removed, and then nothing else is.
  if (existsSync(mounted)) rmdirSync(mounted)
  rmSync(work, { recursive: true, force: true })
}

/** Puts `ghostport` on the path, run from `root`, which is the clone or where it is mounted. */
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
