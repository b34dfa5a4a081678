/** The processes of this host: names, parents, and which sockets they hold. */
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'

export interface Program {
  readonly pid: number
  /** As the kernel shows it: at most 15 characters. */
  readonly name: string
}

export interface Process extends Program {
  /** 0 for the first process. */
  readonly parent: number
}

/** As many processes are looked at, so that a look ends on any host. */
const MOST_PROCESSES = 20_000
/** And as many parents. */
const MOST_PARENTS = 64

/** @returns undefined if there is no such process any more. */
export function lookAtProcess(looker: Looker, pid: number): Process | undefined {
  const text = looker.read(`/proc/${pid}/stat`)
  return text.known && text.value !== undefined ? parseProcess(text.value) : undefined
}

/** @param text of `/proc/PID/stat`. The name is in brackets, and may have brackets and blanks in it. */
export function parseProcess(text: string): Process | undefined {
  const [, pid, name = '', parent] = /^(\d+) \((.*)\) \S (\d+) /s.exec(text) ?? []
  return pid === undefined ? undefined : { pid: Number(pid), name, parent: Number(parent) }
}

/** The process itself, its parent, and so on up to the first process. */
export function ancestors(looker: Looker, pid = looker.pid): readonly Process[] {
  const found: Process[] = []
  for (let next = pid; next > 0 && found.length < MOST_PARENTS; ) {
    const process = lookAtProcess(looker, next)
    if (process === undefined) break
    found.push(process)
    next = process.parent
  }
  return found
}

/** The inodes of the sockets that a process holds. Only root may see those of others. */
export function socketsOf(looker: Looker, pid: number): Known<readonly string[]> {
  const names = looker.list(`/proc/${pid}/fd`)
  if (!names.known) return names
  return known(
    (names.value ?? []).flatMap((name) => {
      const target = looker.link(`/proc/${pid}/fd/${name}`)
      const [, inode] = /^socket:\[(\d+)\]$/.exec((target.known && target.value) || '') ?? []
      return inode === undefined ? [] : [inode]
    }),
  )
}

/** Which processes hold each of these sockets: inode → programs. */
export function holdersOf(looker: Looker, inodes: ReadonlySet<string>): Known<ReadonlyMap<string, readonly Program[]>> {
  const names = looker.list('/proc')
  if (!names.known) return names
  const pids = (names.value ?? []).filter((name) => /^\d+$/.test(name))
  if (pids.length > MOST_PROCESSES) return notKnown(`this host has more than ${MOST_PROCESSES} processes`)
  const holders = new Map<string, Program[]>()
  for (const pid of pids) {
    const sockets = socketsOf(looker, Number(pid))
    if (!sockets.known) {
      if (looker.uid === 0) continue // it ended just now
      return notKnown('only root may see which programs hold the sockets of others')
    }
    const held = [...new Set(sockets.value)].filter((inode) => inodes.has(inode))
    const process = held.length > 0 ? lookAtProcess(looker, Number(pid)) : undefined
    if (process === undefined) continue
    for (const inode of held) {
      const { pid, name } = process
      holders.set(inode, [...(holders.get(inode) ?? []), { pid, name }])
    }
  }
  return known(holders)
}
