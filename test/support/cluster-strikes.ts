/**
 * What may happen to a cluster: each fault lasts for some seconds, and is mended before it ends. Up to three strike at
 * the same time, each at a node or a member of its own. Faults of the network are mended by {@link ClusterLab.heal}.
 */
import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterLab, ClusterNode } from './cluster-lab.ts'
import { copyFolder, type EtcdMember } from './etcd-member.ts'
import { shuffled } from './seeded-random.ts'
import { slowDisk } from './slow-disk.ts'

/** In seconds: how far a clock may be off. */
const MOST_SKEW = 60
/** For a start on a busy machine, in milliseconds. */
const PATIENCE = 120_000

interface Struck {
  readonly lab: ClusterLab
  readonly node: ClusterNode
  readonly member: EtcdMember
  readonly next: (below: number) => number
  readonly hold: () => Promise<void>
}

const FAULTS: Readonly<Record<string, (struck: Struck) => Promise<void>>> = {
  'nodes cut off from members': async ({ lab, next, hold }) => {
    lab.apart(some(lab.nodes, next), some(lab.members, next))
    await hold()
  },
  'members cut off from members': async ({ lab, next, hold }) => {
    const [one, ...others] = shuffled(lab.members, next)
    if (one !== undefined) lab.apart([one], others)
    await hold()
  },
  'all members apart': async ({ lab, hold }) => {
    lab.apart(lab.members, lab.members)
    await hold()
  },
  // Also in one direction only, and in rings and bridges.
  'cuts of any shape': async ({ lab, next, hold }) => {
    const hosts = [...lab.members, ...lab.nodes]
    const pairs = hosts.flatMap((from) => hosts.filter((to) => to !== from).map((to) => [from, to] as const))
    lab.cut(pairs.filter(() => next(3) === 0))
    await hold()
  },
  'packets lost': async ({ lab, hold }) => {
    lab.lose(30)
    await hold()
  },
  'packets doubled': async ({ lab, hold }) => {
    lab.double(40)
    await hold()
  },
  'member killed': async ({ member, hold }) => {
    await member.kill()
    await hold()
    member.start()
  },
  'all members killed': async ({ lab, hold }) => {
    for (const each of lab.members) await each.kill()
    await hold()
    for (const each of lab.members) each.start()
  },
  'member stopped': async ({ member, hold }) => {
    member.signal('SIGSTOP')
    await hold()
    member.signal('SIGCONT')
  },
  'slow disk of a member': async ({ member, next, hold }) => {
    await using _ = await slowDisk(member.pid, 50 + next(1000))
    await hold()
  },
  'slow disk of a node': async ({ node, next, hold }) => {
    await using _ = await slowDisk(node.daemon.pid, 50 + next(500))
    await hold()
  },
  'daemon killed': async ({ node: { daemon } }) => {
    await daemon.stop('SIGKILL')
    await daemon.again(PATIENCE)
  },
  'daemon stopped': async ({ node: { daemon }, hold }) => {
    process.kill(daemon.pid, 'SIGSTOP')
    await hold()
    process.kill(daemon.pid, 'SIGCONT')
  },
  'clock of a node set': async ({ node: { clock }, next }) => {
    clock?.set(next(2 * MOST_SKEW + 1) - MOST_SKEW)
  },
  'clock of a node 60 s off, and back': async ({ node: { clock }, next, hold }) => {
    clock?.set(next(2) === 0 ? MOST_SKEW : -MOST_SKEW)
    await hold()
    clock?.set(0)
  },
  'cluster process stopped': async ({ node, hold }) => {
    const pid = clusterProcessOf(node)
    signal(pid, 'SIGSTOP')
    await hold()
    signal(pid, 'SIGCONT')
  },
  'cluster process killed': async ({ node }) => signal(clusterProcessOf(node), 'SIGKILL'),
  // Its own list of used packets is older than some acceptances. etcd knows them.
  'node with old data': async ({ node: { daemon }, hold }) => {
    const [state, kept] = [daemon.path('state'), daemon.path('kept')]
    await daemon.stop('SIGKILL')
    rmSync(kept, { recursive: true, force: true })
    copyFolder(state, kept)
    await daemon.again(PATIENCE)
    await hold()
    await daemon.stop('SIGKILL')
    rmSync(state, { recursive: true })
    copyFolder(kept, state)
    await daemon.again(PATIENCE)
  },
}

/** Breaks what raft relies on, if another member is away: so it strikes alone. */
const ALONE: Readonly<Record<string, (struck: Struck) => Promise<void>>> = {
  'member with old data': async ({ lab, member, hold }) => {
    for (const each of lab.members) await each.ready()
    await member.kill()
    member.keepData('old')
    member.start()
    await member.ready()
    await hold()
    await member.kill()
    member.putBack('old')
    member.start()
    // A leader that knows what the member has lost makes it end. Then it must be made new.
    if (!(await member.readyOrEnded())) await lab.replaceMember(member)
  },
}

/** Strikes until the run is over. @param struck counts each fault. */
export async function strike(
  lab: ClusterLab,
  next: (below: number) => number,
  struck: Record<string, number>,
  isOver: () => boolean,
): Promise<void> {
  const hold = (): Promise<void> => delay(500 + next(2500))
  const all = { ...FAULTS, ...ALONE }
  while (!isOver()) {
    const picked = shuffled(Object.keys(all), next).slice(0, 1 + next(3))
    const alone = picked.find((name) => name in ALONE)
    const [nodes, members] = [shuffled(lab.nodes, next), shuffled(lab.members, next)]
    await Promise.all(
      (alone === undefined ? picked : [alone]).map(async (name, i) => {
        const [node, member] = [nodes[i], members[i]]
        if (node === undefined || member === undefined) return
        struck[name] = (struck[name] ?? 0) + 1
        await all[name]?.({ lab, node, member, next, hold })
      }),
    )
    lab.heal()
    await delay(next(1500))
  }
}

function clusterProcessOf({ daemon, host }: ClusterNode): number | undefined {
  const [found = ''] = host
    .run(['pgrep', '-P', `${daemon.pid}`, '-f', 'cluster'])
    .stdout.trim()
    .split('\n')
  return found === '' ? undefined : Number(found)
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name)
  } catch {
    // Its warden has ended it.
  }
}

function some<T>(from: readonly T[], next: (below: number) => number): readonly T[] {
  return shuffled(from, next).slice(0, 1 + next(from.length))
}
