/** Which files of a tree are worked on, and in which order. Pure: the tree was read by `walk.ts`. */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Filters, isWanted } from './filters.ts'
import { canBeMapped } from './name-map.ts'
import { isHidden, isObfuscated, isOwn, looksEncrypted, type Operation, resultName } from './names.ts'

/** A file of the tree, as lstat(2) tells of it. Names are as `textFromBytes` gives them. */
export interface FoundFile {
  /** The folder, below the top one: `''`, `a`, `a/b`. */
  readonly folder: string
  readonly name: string
  readonly kind: 'file' | 'link' | 'other'
  /** Bytes. */
  readonly size: number
  /** Names that the file has. */
  readonly links: number
  /** Nanoseconds since 1970. */
  readonly modified: bigint
}

/** One file to work on. */
export interface Task {
  readonly folder: string
  readonly source: string
  /** Beside it. */
  readonly target: string
  readonly size: number
}

export interface Skipped {
  /** Below the top folder. */
  readonly path: string
  readonly why: SkipReason
}

export type SkipReason =
  | 'symbolic link'
  | 'not a regular file'
  | 'empty'
  | 'hidden'
  | 'file of GnuPG'
  | 'excluded'
  | 'is encrypted already'
  | 'is not encrypted'
  | 'is no signature'
  | 'has several names'
  | 'has an obfuscated name'
  | 'its name cannot be obfuscated'
  | 'the target exists'
  | 'the signed file is missing'

/** Reasons that a user wants to know of without asking. The others are the rule. */
export const TOLD_REASONS: ReadonlySet<SkipReason> = new Set([
  'has several names',
  'has an obfuscated name',
  'its name cannot be obfuscated',
  'the target exists',
  'the signed file is missing',
])

export interface Choice {
  readonly operation: Operation
  /** The top folder, absolute. */
  readonly top: string
  readonly armor: boolean
  readonly force: boolean
  readonly overwrite: boolean
  readonly obfuscate: boolean
  readonly filters: Filters
  /** Whether a file of this name tells real names. */
  readonly isMapFile: (name: string) => boolean
}

export interface Plan {
  /** Oldest first. */
  readonly tasks: readonly Task[]
  readonly skipped: readonly Skipped[]
}

/**
 * @param found all files of the tree, in any order.
 * @returns `GPGDIR_REFUSED` where the files of two tasks would get one name, or where obfuscated names would be lost.
 */
export function planTasks(found: readonly FoundFile[], choice: Choice): Result<Plan, Failure<'GPGDIR_REFUSED'>> {
  const there = new Map(found.map(({ folder, name, kind }) => [below(folder, name), kind]))
  const tasks: Task[] = []
  const skipped: Skipped[] = []
  const bySource = new Map<string, string>()
  for (const file of [...found].sort(byAge)) {
    if (isOwn(file.name)) continue
    const path = below(file.folder, file.name)
    if (choice.isMapFile(file.name) && choice.obfuscate) continue
    if (choice.isMapFile(file.name) && choice.operation === 'encrypt' && !choice.force)
      return refuse('GPGDIR_REFUSED', `${path} has the real names of obfuscated files`, {
        suggestion: 'use -O, or decrypt them first',
      })
    const target = resultName(file.name, choice.operation, choice.armor)
    const why = whyNot(file, choice, (name) => there.get(below(file.folder, name)), target)
    if (why !== undefined) {
      skipped.push({ path, why })
      continue
    }
    const rival = bySource.get(below(file.folder, target))
    if (rival !== undefined)
      return refuse('GPGDIR_REFUSED', `${rival} and ${path} would both become ${below(file.folder, target)}`, {
        suggestion: 'move one of them away',
      })
    bySource.set(below(file.folder, target), path)
    tasks.push({ folder: file.folder, source: file.name, target, size: file.size })
  }
  return ok({ tasks, skipped })
}

/**
 * Tasks that a map of obfuscated names has changed or added, judged as a whole.
 * @returns `GPGDIR_REFUSED` where two would get one name, or where one would take the place of another one’s source.
 */
export function checkTargets(tasks: readonly Task[]): Result<readonly Task[], Failure<'GPGDIR_REFUSED'>> {
  const sources = new Set(tasks.map(({ folder, source }) => below(folder, source)))
  const byTarget = new Map<string, string>()
  for (const { folder, source, target } of tasks) {
    const [path, result] = [below(folder, source), below(folder, target)]
    const rival = byTarget.get(result)
    const why =
      rival !== undefined
        ? `${rival} and ${path} would both become ${result}`
        : sources.has(result)
          ? `${path} would become ${result}, which is to be done itself`
          : undefined
    if (why !== undefined) return refuse('GPGDIR_REFUSED', why, { suggestion: 'move one of them away' })
    byTarget.set(result, path)
  }
  return ok(tasks)
}

function whyNot(
  { folder, name, kind, size, links }: FoundFile,
  { operation, top, force, overwrite, obfuscate, filters }: Choice,
  kindOf: (name: string) => FoundFile['kind'] | undefined,
  target: string,
): SkipReason | undefined {
  const path = below(folder, name)
  if (kind === 'link') return 'symbolic link'
  if (kind === 'other') return 'not a regular file'
  if (size === 0) return 'empty'
  if (path.split('/').includes('.gnupg')) return 'file of GnuPG'
  if (!force && isHidden(path)) return 'hidden'
  if (!isWanted(filters, `${top === '/' ? '' : top}/${path}`, path)) return 'excluded'
  switch (operation) {
    case 'encrypt':
    case 'sign':
      if (looksEncrypted(name)) return 'is encrypted already'
      if (obfuscate && !canBeMapped(name)) return 'its name cannot be obfuscated'
      break
    case 'decrypt':
      if (!looksEncrypted(name)) return 'is not encrypted'
      // With -O its map tells of it.
      if (isObfuscated(name) && (obfuscate || !force)) return 'has an obfuscated name'
      break
    case 'verify':
      if (!name.endsWith('.asc')) return 'is no signature'
      return kindOf(target) === 'file' ? undefined : 'the signed file is missing'
    default:
      operation satisfies never
  }
  // The other names would keep the old content.
  if (links > 1 && operation !== 'sign' && !force) return 'has several names'
  const rival = kindOf(target)
  // A link or a device is never replaced.
  return rival !== undefined && !(overwrite && rival === 'file') ? 'the target exists' : undefined
}

function byAge(one: FoundFile, other: FoundFile): number {
  if (one.modified !== other.modified) return one.modified < other.modified ? -1 : 1
  return below(one.folder, one.name) < below(other.folder, other.name) ? -1 : 1
}

/** The path of a name in a folder below the top one. */
export function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}
