/** All processes that a program has started, found through /proc, and how they are ended. */
import { readdirSync } from 'node:fs'
import { type ProcessStat, readProcessStat } from '../system/process-stat.ts'

interface Known extends Pick<ProcessStat, 'started'> {
  readonly pid: number
}

/** @returns the process and its descendants at this moment, also those in a session of their own. */
export function processTree(root: number): readonly Known[] {
  const all = new Map<number, Known[]>()
  for (const pid of readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)) {
    const stat = readProcessStat(pid)
    if (stat === undefined) continue
    const one = { pid, started: stat.started }
    const siblings = all.get(stat.parent)
    if (siblings === undefined) all.set(stat.parent, [one])
    else siblings.push(one)
  }
  const first = readProcessStat(root)
  const found: Known[] = first === undefined ? [] : [{ pid: root, started: first.started }]
  for (const { pid } of found) found.push(...(all.get(pid) ?? []))
  return found
}

/** Sends a signal to the group of `root`, and to each process of the tree that still runs. */
export function signalTree(root: number, tree: readonly Known[], signal: NodeJS.Signals): void {
  send(-root, signal)
  for (const { pid, started } of tree) if (readProcessStat(pid)?.started === started) send(pid, signal)
}

function send(to: number, signal: NodeJS.Signals): void {
  try {
    process.kill(to, signal)
  } catch {
    // It has ended.
  }
}
