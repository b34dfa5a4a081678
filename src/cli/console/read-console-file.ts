/** Reads `console.conf`. It holds no secret: all may read it. Without it, all settings have their defaults. */
import { type ParsedConsoleConfig, parseConsoleConf } from '../../config/console/parse-console-conf.ts'
import { ok, type Result } from '../../result.ts'
import { readUserFile, refuseMissing } from '../../system/user-file.ts'

const DEFAULT_FILE = '/etc/ghostport/console.conf'

export interface ReadConsoleConfig extends ParsedConsoleConfig {
  readonly file: string
}

/** @param given the file of the command line, which must be there. */
export function readConsoleFile(given: string | undefined): Result<ReadConsoleConfig> {
  const file = given ?? DEFAULT_FILE
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value === undefined && given !== undefined) return refuseMissing(file)
  const parsed = parseConsoleConf(file, read.value?.text ?? '')
  return parsed.ok ? ok({ ...parsed.value, file }) : parsed
}
