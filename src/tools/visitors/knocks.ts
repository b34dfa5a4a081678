/** The log of ghostport (docs/OPERATING.md § The log): which addresses knocked, and what became of it. */
import { isIP } from 'node:net'
import { blocksOf, LogUnreadable } from './blocks.ts'
import { parseObject } from './json-line.ts'
import { LineSplitter } from './lines.ts'
import type { Selection } from './request.ts'
import { isInTime } from './select.ts'
import type { Problem } from './sources.ts'
import { periodOf } from './survey.ts'
import { type Cell, Tally } from './tally.ts'

/** `count`: all knocks. */
export interface KnockCell extends Cell {
  granted: number
  refused: number
}

export interface Knock {
  /** For whom a port was opened; of a refused packet, where it came from. */
  readonly address: string
  readonly day: string
  readonly verdict: 'granted' | 'refused'
}

/** A line may have the prefix of syslog or of the journal. @returns undefined for lines that tell of no packet. */
export function knockIn(line: string): Knock | undefined {
  const start = line.indexOf('{')
  if (start < 0 || !line.includes('"verdict"', start)) return undefined
  const record = parseObject(line.slice(start))
  if (record === undefined) return undefined
  const { event, verdict, source, for: opened, time } = record
  if (event !== 'knock' && event !== 'refused') return undefined
  if (verdict !== 'granted' && verdict !== 'refused') return undefined
  const address = verdict === 'granted' && typeof opened === 'string' ? opened : source
  if (typeof address !== 'string' || isIP(address) === 0) return undefined
  if (typeof time !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(time)) return undefined
  return { address: plainAddress(address), day: periodOf(time, 'day'), verdict }
}

/** `::ffff:192.0.2.1` is `192.0.2.1`, in whichever of the two logs. */
export function plainAddress(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  return mapped ?? address.toLowerCase()
}

const ROOM = 2_000_000

/** Reads logs of ghostport. Adds to `problems` those that cannot be read, and those that tell of no knock. */
export async function readKnocks(
  paths: readonly string[],
  selection: Selection,
  problems: Problem[],
): Promise<Tally<KnockCell>> {
  const knocks = new Tally<KnockCell>(ROOM, (missing) => ({ count: 0, missing, granted: 0, refused: 0 }))
  for (const path of paths) {
    let found = 0
    const splitter = new LineSplitter({
      line(text) {
        const knock = knockIn(text)
        if (knock === undefined) return
        found++
        if (isInTime(knock.day, selection)) knocks.add(knock.address)[knock.verdict]++
      },
      tooLong() {},
    })
    try {
      for await (const block of blocksOf(path)) splitter.push(block)
      splitter.end()
      if (found === 0) problems.push({ path, why: 'has no line of ghostport about a packet' })
    } catch (error) {
      if (!(error instanceof LogUnreadable)) throw error
      problems.push({ path, why: error.message })
    }
  }
  return knocks
}
