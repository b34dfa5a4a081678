/** Processes of a server, found through /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'

/** The process id of a child with this title; 0 if there is none. */
export function childOf(parent: number, title: string): number {
  for (const name of readdirSync('/proc').filter((it) => /^[0-9]+$/.test(it))) {
    try {
      const isChild = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === `${parent}`
      if (isChild && readFileSync(`/proc/${name}/cmdline`, 'latin1').startsWith(title)) return Number(name)
    } catch {
      // It has ended.
    }
  }
  return 0
}

/** The different values of nice(2) that the threads of a process have. */
export function priorities(pid: number): readonly number[] {
  return [...new Set(readdirSync(`/proc/${pid}/task`).map((thread) => getPriority(Number(thread))))]
}
