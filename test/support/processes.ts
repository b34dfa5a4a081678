/** Processes of a server, found through /proc. */
import { readdirSync, readFileSync } from 'node:fs'

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
