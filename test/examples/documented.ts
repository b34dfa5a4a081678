/** What the entry points of the package export, and their documentation: for the tests of this folder. */
import { globSync, readFileSync } from 'node:fs'

export const source = new URL('../../src/', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, source), 'utf8')

/** A function that the package exports. */
export interface ExportedFunction {
  readonly name: string
  readonly file: string
  /** The text between its name and its body. */
  readonly signature: string
  /** How many parameters it has. */
  readonly parameters: number
  /** Its docstring, without stars; empty if it has none. */
  readonly docs: string
}

/** A piece of code from a docstring. */
export interface Example {
  readonly file: string
  readonly code: string
}

/** @param entry a file of src/ that lists exports by name. */
export function exportedFunctions(entry: string): readonly ExportedFunction[] {
  const lists = [...read(entry).matchAll(/^export \{([^}]*)\} from '\.\/([^']+)'$/gm)]
  const names = lists.flatMap(([, list = '', file = '']) =>
    list.split(',').flatMap((word) => {
      const name = word.trim()
      return name === '' || name.startsWith('type ') ? [] : [{ name, file }]
    }),
  )
  return names.flatMap(({ name, file }) => functionIn(file, name) ?? [])
}

/** Every example in the docstrings of the library. */
export function examples(): readonly Example[] {
  const files = globSync(['*.ts', '{packet,client,delivery}/*.ts'], { cwd: source }).sort()
  return files.flatMap((file) =>
    [...read(file).matchAll(/^ \* @example.*\n \* ```ts\n((?: \*.*\n)*?) \* ```$/gm)].map(([, lines = '']) => ({
      file,
      code: lines.replaceAll(/^ \* ?/gm, ''),
    })),
  )
}

/** Codes between backticks. */
export function codesIn(docs: string): readonly string[] {
  return [...docs.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, code = '']) => code)
}

function functionIn(file: string, name: string): ExportedFunction | undefined {
  const text = read(file)
  const declared = new RegExp(
    `(?:/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\n)?export (?:(?:async )?function|const) ${name}\\b([\\s\\S]*?(?:\\{\\n|$(?!\\n)|\\n\\n))`,
  ).exec(text)
  const [, docs = '', signature = ''] = declared ?? []
  if (declared === null) return undefined
  const isFunction = declared[0].includes(`function ${name}`) || /=> \{\n$/.test(signature)
  if (!isFunction) return undefined
  return { name, file, signature, parameters: parametersOf(signature), docs: docs.replaceAll(/^ \* ?/gm, '') }
}

/** Counts at the top level of the first parentheses. */
function parametersOf(signature: string): number {
  let depth = 0
  let commas = 0
  let content = ''
  for (const character of signature.slice(signature.indexOf('('))) {
    if ('({[<'.includes(character)) depth++
    else if (')}]>'.includes(character) && !content.endsWith('=')) depth--
    else if (character === ',' && depth === 1) commas++
    if (depth === 0) break
    content += character
  }
  const trailing = /,\s*$/.test(content) ? 1 : 0
  return content.slice(1).trim() === '' ? 0 : commas + 1 - trailing
}
