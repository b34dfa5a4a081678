/** `--keep`: the three hosts stay after the story, under names that every process sees, until `--down`. */
import { chmodSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addNamespaces, NameTaken, removeNamespaces } from '../../test/support/namespace.ts'
import { narrator } from './narrator.ts'
import { markOf, type ProcessMark, stateOf } from './process-mark.ts'
import { clone, installCommand, removeWorkFolder, setOwners } from './work-folder.ts'

const HOSTS = ['spaclient', 'spaserver', 'scanner'] as const
/** Only root keeps hosts, and only root may write here. */
const MEMORY = '/run/ghostport-story.json'
const DOWN = 'npm start -- --down'

interface Kept {
  /** The user who runs the story. */
  readonly clone: string
  readonly work: string
  /** The process that still tells the story, before anything is kept. */
  readonly teller?: ProcessMark
  /** The leaders of process groups that stay. */
  readonly processes: readonly ProcessMark[]
}

/** Thrown if hosts cannot be kept or taken down. Its message is a sentence for the reader. */
export class HostsTaken extends Error {}

/**
 * Makes the three hosts, after taking down those that this very clone kept before. Written down first, so that `--down`
 * finds them however the story ends.
 *
 * @throws HostsTaken, leaving nothing behind, where they are another clone's, or one of the names is somebody else's.
 */
export function claimHosts(work: string): void {
  const before = readKept()
  if (before !== undefined) {
    if (before.clone !== realpathSync(clone))
      throw new HostsTaken(`The three hosts are those of another checkout, ${before.clone}. To take them down: ${DOWN}`)
    takeDown(before)
  }
  try {
    remember({ clone: realpathSync(clone), work, teller: markOf(process.pid), processes: [] }, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new HostsTaken('Another story with --keep has begun in this moment.')
  }
  try {
    addNamespaces(HOSTS)
  } catch (error) {
    rmSync(MEMORY, { force: true })
    if (!(error instanceof NameTaken)) throw error
    throw new HostsTaken(
      `The host ${error.namespace} cannot be made: ${error.message}\n` +
        `A host of a kept story would be taken down by ${DOWN}, but this is none that it knows: ip netns delete ${error.namespace}`,
    )
  }
}

/** Removes what {@link claimHosts} made, after a story that failed. */
export function releaseHosts(): void {
  removeNamespaces(HOSTS)
  rmSync(MEMORY, { force: true })
}

/** @param pids the leaders of process groups that stay. */
export function rememberKept(work: string, pids: readonly number[]): void {
  const processes = pids.map(markOf)
  setOwners(work, processes)
  remember({ clone: realpathSync(clone), work, processes }, 'w')
}

/** The folder of the kept hosts, if any. */
export function keptWorkFolder(): string | undefined {
  return process.getuid?.() === 0 ? readKept()?.work : undefined
}

function remember(kept: Kept, flag: 'w' | 'wx'): void {
  writeFileSync(MEMORY, JSON.stringify(kept), { mode: 0o600, flag })
}

/** @throws HostsTaken if they are root's and this user is not root. */
function readKept(): Kept | undefined {
  try {
    return JSON.parse(readFileSync(MEMORY, 'utf8')) as Kept
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'EACCES') throw new HostsTaken('The three hosts are root’s; only root can take them down.')
    throw error
  }
}

export function explainKept(work: string): void {
  // From here on, the command runs outside the mounts that the story made for itself.
  installCommand(work, clone)
  const on = join(work, 'on')
  writeFileSync(on, ON_HOST.replace('WORK', work))
  chmodSync(on, 0o755)
  narrator.title('The three hosts are up. To play with them, as root:')
  narrator.say(`
  cd ${work}
  ./on spaclient ghostport knock -D 10.66.0.1 -A tcp/22 --nat-local --nat-port 80 -a 10.66.1.2 --wait
  ./on spaclient ssh -F ssh_config -p 80 alice@10.66.0.1
  ./on scanner nmap -Pn 10.66.0.1
  ./on spaserver ghostport status -s run/control.sock
  ./on spaserver nft list table inet ghostport

  npm start -- --down     takes them down again
`)
}

const ON_HOST = `#!/bin/sh
# ./on HOST COMMAND …: runs a command on one of the three hosts, in its folder.
work=WORK host=$1
shift
cd "$work/$host" && exec ip netns exec "$host" env HOME="$PWD" PATH="$work/bin:$PATH" "$@"
`

/** `--down`: removes what `--keep` left. @throws HostsTaken if the story is still being told. */
export function down(): void {
  const kept = readKept()
  if (kept === undefined) narrator.say('No hosts are kept.')
  else takeDown(kept)
}

function takeDown({ work, teller, processes }: Kept): void {
  if (teller !== undefined && stateOf(teller) === 'alive')
    throw new HostsTaken(`Their story is still being told, by process ${teller.pid}: end that with Ctrl-C.`)
  for (const mark of processes) {
    // A number that another process has by now is not ours to end.
    if (stateOf(mark) !== 'alive') continue
    try {
      process.kill(-mark.pid, 'SIGKILL')
    } catch {
      // it ended by itself
    }
  }
  removeNamespaces(HOSTS)
  removeWorkFolder(work)
  rmSync(MEMORY, { force: true })
  narrator.say('The three hosts are down.')
}
