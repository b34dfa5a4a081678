/** Reads logs one after the other, and gives each visit on. */
import { anyFormat } from './any-format.ts'
import { blocksOf, LogUnreadable, STANDARD_INPUT } from './blocks.ts'
import { LineSplitter } from './lines.ts'
import type { LineReader } from './log-format.ts'
import type { Problem } from './sources.ts'
import { memorySaver } from './spare-memory.ts'
import type { Visit } from './visit.ts'

export interface Reading {
  files: number
  bytes: number
  lines: number
  /** Lines that are no visits. */
  malformed: number
  tooLong: number
  /** The first line that is no visit: `FILE:LINE`. */
  firstMalformed: { readonly path: string; readonly line: number } | undefined
  readonly problems: Problem[]
}

export function newReading(problems: readonly Problem[]): Reading {
  return { files: 0, bytes: 0, lines: 0, malformed: 0, tooLong: 0, firstMalformed: undefined, problems: [...problems] }
}

/** @param format undefined: found out for each file. */
export async function readLogs(
  paths: readonly string[],
  format: LineReader | undefined,
  reading: Reading,
  visit: (visit: Visit, line: string) => void,
): Promise<void> {
  const saveMemory = memorySaver()
  for (const path of paths) {
    const read = format ?? anyFormat()
    const before = reading.lines
    const malformed = (): void => {
      reading.firstMalformed ??= { path, line: reading.lines - before }
    }
    const splitter = new LineSplitter({
      line(text) {
        reading.lines++
        // Empty lines harm nobody.
        if (text === '') return
        const found = read(text)
        if (found !== undefined) return visit(found, text)
        reading.malformed++
        malformed()
      },
      tooLong() {
        reading.lines++
        reading.tooLong++
        malformed()
      },
    })
    let isRead = false
    try {
      for await (const block of blocksOf(path)) {
        if (!isRead) reading.files++
        isRead = true
        reading.bytes += block.length
        splitter.push(block)
        saveMemory(block.length)
      }
    } catch (error) {
      if (!(error instanceof LogUnreadable)) throw error
      reading.problems.push({ path, why: error.message })
    }
    splitter.end()
  }
}

/** For messages. */
export function shownPath(path: string): string {
  return path === STANDARD_INPUT ? 'standard input' : path
}
