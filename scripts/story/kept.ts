/** `--keep`: the three hosts go on after the story, under names that everybody sees, until `--down`. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { narrator } from './narrator.ts'
import { clone, installCommand, removeWorkFolder } from './work-folder.ts'

const HOSTS = ['spaclient', 'spaserver', 'scanner'] as const
/** Only root keeps hosts, and only root may write here. */
const MEMORY = '/run/ghostport-story.json'

interface Kept {
  readonly work: string
  readonly processes: readonly { readonly pid: number; readonly startedAt: string }[]
}

/** @throws Error where one of the names is taken: it is somebody else's. */
export function makeGlobalHosts(): void {
  const made: string[] = []
  for (const name of HOSTS) {
    const { status, stderr } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
    if (status !== 0) {
      for (const host of made) spawnSync('ip', ['netns', 'delete', host])
      throw new Error(`ip netns add ${name}: ${stderr.trim()}`)
    }
    made.push(name)
  }
}

export function removeGlobalHosts(): void {
  for (const name of HOSTS) spawnSync('ip', ['netns', 'delete', name])
}

/** @param pids the leaders of process groups that go on. */
export function rememberKept(work: string, pids: readonly number[]): void {
  const kept: Kept = { work, processes: pids.map((pid) => ({ pid, startedAt: startOf(pid) ?? '' })) }
  writeFileSync(MEMORY, JSON.stringify(kept), { mode: 0o600 })
}

export function explainKept(work: string): void {
  // From here on the command is run from outside of the mounts that the story made for itself.
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

/** Takes down what `--keep` left. Does nothing where there is nothing. */
export function down(): number {
  if (!existsSync(MEMORY)) {
    if (process.argv.includes('--down')) narrator.say('No hosts are kept.')
    return 0
  }
  const kept = JSON.parse(readFileSync(MEMORY, 'utf8')) as Kept
  for (const { pid, startedAt } of kept.processes) {
    // A number that has been given to somebody else since is not ours to end.
    if (startOf(pid) !== startedAt) continue
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // it ended by itself
    }
  }
  removeGlobalHosts()
  removeWorkFolder(kept.work)
  rmSync(MEMORY, { force: true })
  narrator.say('The three hosts are down.')
  return 0
}

/** When a process started, in the kernel's ticks: with its number, that names it for good. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
