/** `--Exclude`, `--Include` and their globs: which paths are taken. */
import { matchesGlob } from 'node:path'
import { type Failure, ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { isHidden } from './names.ts'

export interface Filters {
  readonly exclude: readonly PathTest[]
  readonly include: readonly PathTest[]
}

/** @param path absolute. @param below relative to the top folder. */
export type PathTest = (path: string, below: string) => boolean

/** A regular expression as a user wrote it. It is matched anywhere in the absolute path, as gpgdir does. */
export function regexTest(text: string, at?: SourceLocation): Result<PathTest, Failure<'CLI_USAGE'>> {
  try {
    const pattern = new RegExp(text, 'u')
    return ok((path) => pattern.test(path))
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^.*: /, '') : String(error)
    return refuse('CLI_USAGE', `“${text}” is no regular expression: ${why}`, at === undefined ? {} : { at })
  }
}

/** A glob without `/` is matched with the last part of the path, at any depth. */
export function globTest(glob: string): PathTest {
  const pattern = glob.includes('/') ? glob.replace(/^\//, '') : `**/${glob}`
  return (_path, below) => matchesGlob(below, pattern)
}

/** What excludes counts before what includes. */
export function isWanted({ exclude, include }: Filters, path: string, below: string): boolean {
  const matches = (test: PathTest): boolean => test(path, below)
  return !exclude.some(matches) && (include.length === 0 || include.some(matches))
}

/**
 * Whether a folder gets an obfuscated name: not a hidden one, nor one that is left out.
 * @param path below the top folder.
 */
export function isFolderTaken({ exclude }: Filters, top: string, path: string, hiddenToo: boolean): boolean {
  if (!hiddenToo && isHidden(path)) return false
  const whole = `${top === '/' ? '' : top}/${path}`
  return !exclude.some((test) => test(whole, path) || test(`${whole}/`, `${path}/`))
}
