/**
 * The command line that `fwknop` saves for `--last-cmd` and `--show-last`: one line of words, quoted as a shell quotes.
 * fwknop joins its words by blanks, so that a value with a blank cannot be read back.
 */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { GivenOption } from '../terminal/getopt.ts'
import type { OptionSpec } from '../terminal/parse-command-line.ts'
import { fwknopOptions, secretOptions } from './options.ts'

const PROGRAM = 'fwknop'

/** @returns the line, without its end. `parseLine` reads the same words from it. */
export function formatLine(words: readonly string[]): string {
  return [PROGRAM, ...words].map(quote).join(' ')
}

function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** @returns the words after the program's name; `CONFIG_SYNTAX` for a quote that is not closed, or another program. */
export function parseLine(file: string, text: string): Result<readonly string[], Failure<'CONFIG_SYNTAX'>> {
  const words: string[] = []
  const at = { file, line: 1 }
  // Pieces of words: quoted, escaped, or plain.
  const piece = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)|(\s+)/y
  let inWord = false
  while (piece.lastIndex < text.length) {
    const match = piece.exec(text)
    if (match === null) return refuse('CONFIG_SYNTAX', 'a quotation mark is not closed', { at })
    const [, single, double, escaped, plain, blank] = match
    if (blank !== undefined) {
      inWord = false
      continue
    }
    const part = single ?? double?.replaceAll(/\\([\s\S])/g, '$1') ?? escaped ?? plain ?? ''
    if (inWord) words.push((words.pop() ?? '') + part)
    else words.push(part)
    inWord = true
  }
  const [program, ...rest] = words
  if (program === undefined) return refuse('CONFIG_SYNTAX', 'the file holds no command line', { at })
  if (program.split('/').at(-1) !== PROGRAM)
    return refuse('CONFIG_SYNTAX', `the line does not begin with ${PROGRAM}`, { at })
  return ok(rest)
}

/** The words to save. @param withKeys whether options whose values are secrets are saved too. */
export function wordsToSave(given: readonly GivenOption[], withKeys: boolean): readonly string[] {
  return given
    .filter((option) => withKeys || !isSecret(option))
    .flatMap(({ name, shown, value }) => {
      if (value === undefined) return [shown]
      const spec: OptionSpec | undefined = fwknopOptions[name as keyof typeof fwknopOptions]
      if (spec?.optionalValue !== true) return [shown, value]
      return [value === '' ? shown : `${shown}=${value}`]
    })
}

/** A proxy may be named with its password: `http://USER:PASSWORD@HOST`. */
function isSecret({ name, value = '' }: GivenOption): boolean {
  return secretOptions.has(name) || (/^http-proxy$/i.test(name) && value.includes('@'))
}
