/** The filters of the command line, and of the files that it names. */
import { resolve } from 'node:path'
import { ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { readUserFile } from '../../system/user-file.ts'
import { type Filters, globTest, type PathTest, regexTest } from './filters.ts'
import type { Request } from './request.ts'

export function filtersOf({ patterns }: Request): Result<Filters> {
  const exclude = testsOf(patterns.exclude, patterns.excludeFrom, patterns.excludeGlobs)
  if (!exclude.ok) return exclude
  const include = testsOf(patterns.include, patterns.includeFrom, patterns.includeGlobs)
  return include.ok ? ok({ exclude: exclude.value, include: include.value }) : include
}

function testsOf(
  regexes: readonly string[],
  file: string | undefined,
  globs: readonly string[],
): Result<readonly PathTest[]> {
  const tests: PathTest[] = globs.map(globTest)
  const lines = regexes.map((text) => ({ text, at: undefined as SourceLocation | undefined }))
  if (file !== undefined) {
    const read = readUserFile(resolve(file))
    if (!read.ok) return read
    if (read.value === undefined) return refuse('CONFIG_UNREADABLE', `${file}: there is no such file`)
    for (const [i, text] of read.value.text.split('\n').entries())
      if (text !== '') lines.push({ text, at: { file, line: i + 1 } })
  }
  for (const { text, at } of lines) {
    const test = regexTest(text, at)
    if (!test.ok) return test
    tests.push(test.value)
  }
  return ok(tests)
}
