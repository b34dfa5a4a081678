/** All processes that a program has started, found through /proc, and how they are ended. */
import { readdirSync, readFileSync } from 'node:fs'

/** A process: its number, and the moment of its start, by which a later process with this number is told apart. */
interface Known {
  readonly pid: number
  readonly started: string
}

interface Stat extends Known {
  readonly parent: number
}

/** @returns the process and its descendants at this moment, also those in a session of their own. */
export function processTree(root: number): readonly Known[] {
  const all = new Map<number, Stat[]>()
  for (const name of readdirSync('/proc')) {
    const stat = /^[0-9]+$/.test(name) ? readStat(Number(name)) : undefined
    if (stat === undefined) continue
    const siblings = all.get(stat.parent)
    if (siblings === undefined) all.set(stat.parent, [stat])
    else siblings.push(stat)
  }
  const first = readStat(root)
  const found: Stat[] = first === undefined ? [] : [first]
  for (const { pid } of found) found.push(...(all.get(pid) ?? []))
  return found
}

/** Sends a signal to the group of `root`, and to each process of the tree that still runs. */
export function signalTree(root: number, tree: readonly Known[], signal: NodeJS.Signals): void {
  send(-root, signal)
  for (const { pid, started } of tree) if (readStat(pid)?.started === started) send(pid, signal)
}

function send(to: number, signal: NodeJS.Signals): void {
  try {
    process.kill(to, signal)
  } catch {
    // It has ended.
  }
}

/** The name of a program may hold blanks and parentheses, so the fields are counted from its last parenthesis. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(fields[1]), started: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
