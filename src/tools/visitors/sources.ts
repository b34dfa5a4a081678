/** The files that the words of the command line name, in the order of time. */
import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { textFromBytes } from '../../bytes/text.ts'
import { errorCode, fileReason } from '../../system/errno.ts'
import { systemPath } from '../../system/system-path.ts'
import { anyFormat } from './any-format.ts'
import { blocksOf, LogUnreadable, STANDARD_INPUT } from './blocks.ts'
import { LineSplitter } from './lines.ts'
import type { LineReader } from './log-format.ts'

export interface Problem {
  readonly path: string
  readonly why: string
}

export interface Sources {
  readonly paths: readonly string[]
  readonly problems: readonly Problem[]
}

const DEEPEST = 20
const MOST_FILES = 100_000

/** @param name in folders, only files with such a name. */
export async function findLogs(
  words: readonly string[],
  name: RegExp,
  reader: LineReader | undefined,
): Promise<Sources> {
  const found = new Map<string, string>()
  const problems: Problem[] = []
  for (const word of words) {
    if (word === STANDARD_INPUT) found.set(word, word)
    else addWord(word, name, found, problems)
  }
  const paths = [...found.values()]
  if (paths.length < 2) return { paths, problems }
  const dated: { readonly path: string; readonly day: string; readonly age: number }[] = []
  for (const path of paths) dated.push({ path, day: await firstDay(path, reader), age: rotations(path) })
  // Names without their number are alike: the higher one is older.
  dated.sort((a, b) => order(a.day, b.day) || b.age - a.age || order(a.path, b.path))
  return { paths: dated.map(({ path }) => path), problems }
}

function addWord(word: string, name: RegExp, found: Map<string, string>, problems: Problem[]): void {
  try {
    if (!statSync(word).isDirectory()) {
      add(word, found)
      return
    }
  } catch (error) {
    problems.push({ path: word, why: fileReason(error) })
    return
  }
  const before = found.size
  let [others, seen] = [0, 0]
  const walk = (folder: string, depth: number): void => {
    let entries: readonly string[]
    try {
      entries = readdirSync(systemPath(folder), { encoding: 'buffer' }).map(textFromBytes).sort()
    } catch (error) {
      problems.push({ path: folder, why: fileReason(error) })
      return
    }
    for (const entry of entries) {
      if (entry.startsWith('.')) continue
      const path = join(folder, entry)
      const stats = statOf(path, (error) => {
        // One that nobody can follow must not keep the others from being read.
        if (name.test(entry)) problems.push({ path, why: fileReason(error) })
      })
      if (stats?.isDirectory() === true) {
        // A link to a folder may lead back up.
        if (depth >= DEEPEST) problems.push({ path, why: `lies ${DEEPEST} folders deep: not read` })
        else if (!isLink(path)) walk(path, depth + 1)
      } else if (stats?.isFile() !== true) continue
      else if (++seen > MOST_FILES) throw new LogUnreadable(`has more than ${MOST_FILES} files`)
      else if (name.test(entry)) add(path, found)
      else others++
    }
  }
  try {
    walk(word, 0)
  } catch (error) {
    problems.push({ path: word, why: error instanceof LogUnreadable ? error.message : fileReason(error) })
    return
  }
  if (found.size > before || problems.some(({ path }) => path.startsWith(word))) return
  const why =
    others === 0 ? 'has no files' : `has ${others} files, and none whose name matches ${name.source}. Use --name RE`
  problems.push({ path: word, why })
}

/** @param failed not called for what was removed meanwhile. */
function statOf(path: string, failed: (error: unknown) => void): Stats | undefined {
  try {
    return statSync(systemPath(path))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || isLink(path)) failed(error)
    return undefined
  }
}

function isLink(path: string): boolean {
  return lstatSync(systemPath(path), { throwIfNoEntry: false })?.isSymbolicLink() === true
}

/** By another name, a file is the same. */
function add(path: string, found: Map<string, string>): void {
  const { dev, ino } = statSync(systemPath(path))
  const key = `${dev}:${ino}`
  if (!found.has(key)) found.set(key, path)
}

/** Of the first visit: empty if there is none among the first lines. */
async function firstDay(path: string, reader: LineReader = anyFormat()): Promise<string> {
  // What is no file gives its bytes once.
  if (path === STANDARD_INPUT || !statSync(systemPath(path)).isFile()) return ''
  let day = ''
  const splitter = new LineSplitter({
    line: (text) => {
      if (day === '') day = reader(text)?.day ?? ''
    },
    tooLong: () => {},
  })
  try {
    for await (const block of blocksOf(path)) {
      splitter.push(block)
      break
    }
  } catch {
    // It is told when it is read.
  }
  return day
}

/** `access.log.3.gz`: 3. */
function rotations(path: string): number {
  const [, number] = /\.(\d{1,4})(?:\.gz)?$/.exec(basename(path)) ?? []
  return Number(number ?? 0)
}

function order(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
