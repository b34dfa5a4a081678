/**
 * The types that the package exports consist of exported types only: no internal type shows, so later moves break
 * nothing for others.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'

const source = new URL('../../src/', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, source), 'utf8')

/** Of the language, and of Node.js; and the mark by which numbers and texts are told apart, which has no inside. */
const known = new Set(
  'AbortSignal Brand Exclude Extract Omit Partial Pick Promise Readonly ReadonlyMap ReadonlySet Record Socket Uint8Array'.split(
    ' ',
  ),
)

interface Export {
  readonly name: string
  readonly file: string
}

function exportsOf(entry: string): readonly Export[] {
  const lists = [...read(entry).matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/([^']+)'$/gm)]
  return lists.flatMap(([, list = '', file = '']) =>
    list.split(',').flatMap((word) => {
      const name = word.trim().replace(/^type /, '')
      return name === '' ? [] : [{ name, file }]
    }),
  )
}

/** The declaration of `name`: all of a type; the head of a function. Without comments and texts. */
function declarationOf({ name, file }: Export): string {
  const text = read(file)
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '')
    .replaceAll(/'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g, "''")
  const [type] =
    new RegExp(
      `^export (?:interface|type) ${name}\\b[\\s\\S]*?(?=^(?:export|declare|const|function|interface|type|class|let|async|abstract)\\b|$(?![\\s\\S]))`,
      'm',
    ).exec(text) ?? []
  const [callable] = new RegExp(`^export (?:async )?function ${name}\\b[\\s\\S]*?\\{\\n`, 'm').exec(text) ?? []
  const [constant] = new RegExp(`^export const ${name}: [^=]*=`, 'm').exec(text) ?? []
  return type ?? callable ?? constant ?? ''
}

/** Types that a declaration names, without its own parameters. */
function typesIn(declaration: string): readonly string[] {
  const [, parameters = ''] =
    /^export (?:async )?(?:interface|type|function) \w+<(.*?)>(?= =| \{|\()/.exec(declaration) ?? []
  const own = parameters.split(',').map((parameter) => /^ ?(\w+)/.exec(parameter)?.[1])
  const named = [...declaration.matchAll(/(?<![\w.$'])([A-Z]\w*[a-z]\w*)\b(?!\s*\??:)/g)].map(([, name = '']) => name)
  return named.filter((name) => !own.includes(name))
}

describe('the entry points of the package', () => {
  for (const entry of ['index.ts', 'packet.ts'])
    it(`${entry} names no type that nobody can import`, () => {
      const all = new Set([...exportsOf('index.ts'), ...exportsOf('packet.ts')].map(({ name }) => name))
      const hidden = exportsOf(entry).flatMap((it) =>
        typesIn(declarationOf(it))
          .filter((name) => !all.has(name) && !known.has(name))
          .map((name) => `${it.file}: ${it.name} names ${name}`),
      )
      assert.deepEqual([...new Set(hidden)], [])
    })

  it('export nothing without a docstring', () => {
    const bare = [...exportsOf('index.ts'), ...exportsOf('packet.ts')].filter(
      ({ name, file }) => !new RegExp(`\\*/\\nexport [^\\n(={]*\\b${name}\\b`).test(read(file)),
    )
    assert.deepEqual([...new Set(bare.map(({ name, file }) => `${file}: ${name}`))], [])
  })
})
