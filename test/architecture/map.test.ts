/** docs/ARCHITECTURE.md, CONTRIBUTING.md and the comments name what exists: each file, each folder, each command. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { describe, it } from 'node:test'
import { importsOf } from './plan.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
/** What a page puts between backticks, outside of blocks of code. */
const quoted = (page: string): readonly string[] =>
  [...page.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, text]) => text ?? '')
const isPath = (text: string): boolean => /^[\w.-]+(\/[\w.-]+)*(\/|\.(ts|mjs|md|service))$/.test(text)
const isThere = (path: string): boolean => existsSync(join(root, 'src', path)) || existsSync(join(root, path))

/** Each folder of `from` that has files of ours, without folders that contain only folders. */
function folders(from: string): readonly string[] {
  const entries = readdirSync(join(root, from), { withFileTypes: true })
  const inner = entries.filter((entry) => entry.isDirectory()).flatMap(({ name }) => folders(`${from}/${name}`))
  return entries.some((entry) => entry.isFile()) ? [from, ...inner] : inner
}

describe('docs/ARCHITECTURE.md', () => {
  const page = read('docs/ARCHITECTURE.md')

  it('names no file and no folder that is not there', () => {
    const paths = quoted(page).filter(isPath)
    assert.ok(paths.length > 60, `${paths.length} paths`)
    assert.deepEqual(
      paths.filter((path) => !isThere(path)),
      [],
    )
  })

  it('leaves out no folder of src/', () => {
    const named = new Set(quoted(page))
    const missing = folders('src')
      .filter((folder) => folder !== 'src')
      .map((folder) => `${folder.slice('src/'.length)}/`)
      .filter((folder) => !named.has(folder))
    assert.deepEqual(missing, [])
  })

  it('leaves out no file of src/ itself', () => {
    const named = new Set(quoted(page))
    const files = readdirSync(join(root, 'src')).filter((file) => /(?<!\.test)\.ts$/.test(file))
    assert.deepEqual(
      files.filter((file) => !named.has(file)),
      [],
    )
  })
})

describe('CONTRIBUTING.md', () => {
  const page = read('CONTRIBUTING.md')
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

  it('names no file and no folder that is not there', () => {
    const paths = quoted(page).filter(isPath)
    const made = ['dist/', 'deb/', 'toolchain/']
    assert.deepEqual(
      paths.filter((path) => !made.includes(path) && !existsSync(join(root, path))),
      [],
    )
  })

  it('tells each command of package.json, and no other', () => {
    const told = [...page.matchAll(/npm (?:run )?([a-z][a-z-]+)/g)].map(([, name]) => name ?? '')
    assert.deepEqual([...new Set(told)].sort(), Object.keys(scripts).sort())
  })

  it('tells each kind of test', () => {
    const kinds = folders('test').map((folder) => folder.split('/')[1] ?? '')
    const known = new Set([...page.matchAll(/`test\/([a-z]+)\//g)].map(([, kind]) => kind ?? ''))
    assert.deepEqual(
      [...new Set(kinds)].filter((kind) => !['', 'support'].includes(kind) && !known.has(kind)),
      [],
    )
  })
})

describe('comments', () => {
  const files = ['src', 'test', 'bench', 'scripts', 'web']
    .flatMap((folder) => globSync(`${folder}/**/*.{ts,tsx,mjs}`, { cwd: root }))
    .filter((file) => !file.includes('node_modules'))
    .map((file) => file.split(sep).join('/'))

  it('name no file that is not there', () => {
    const wrong = files.flatMap((file) => {
      const text = read(file)
      return filesInComments(text)
        .filter((name) => !isNamed(name, file, text))
        .map((name) => `${file}: ${name}`)
    })
    assert.deepEqual(wrong, [])
  })

  it('are searched for files, and strings are not', () => {
    assert.deepEqual(filesInComments("/** See a.ts and\n * `b/c.ts`. */ const d = 'e.ts' // f.mjs"), [
      'a.ts',
      'b/c.ts',
      'f.mjs',
    ])
    assert.equal(isNamed('no-such-file.ts', 'src/log.ts', ''), false)
  })
})

function filesInComments(text: string): readonly string[] {
  // Strings are matched first, so that the // of a URL in one is no comment.
  const pieces = text.matchAll(
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(\/\*[\s\S]*?\*\/|\/\/[^\n]*)/g,
  )
  return [...pieces].flatMap(([, comment = '']) =>
    [...comment.matchAll(/(?<![\w./@<*-])\w[\w./-]*\.(?:ts|mjs)\b/g)].map(([name]) => name),
  )
}

/**
 * Whether a reader finds the file: below the root or `src/`, in the folder of the comment or one above it, or among the
 * imports of its file.
 */
function isNamed(name: string, file: string, text: string): boolean {
  const folders: string[] = []
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.push(folder)
  return (
    isThere(name) ||
    folders.some((folder) => existsSync(join(root, folder, name))) ||
    importsOf(text).some((specifier) => basename(specifier) === name)
  )
}
