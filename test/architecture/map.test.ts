/** docs/ARCHITECTURE.md and CONTRIBUTING.md name what there is: each file, each folder, each command. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
/** What a page puts between backticks, outside of blocks of code. */
const quoted = (page: string): readonly string[] =>
  [...page.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, text]) => text ?? '')
const isPath = (text: string): boolean => /^[\w.-]+(\/[\w.-]+)*(\/|\.(ts|mjs|md|service))$/.test(text)
const isThere = (path: string): boolean => existsSync(join(root, 'src', path)) || existsSync(join(root, path))

/** Each folder of `from` that holds files of ours, without those that hold folders alone. */
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
    const made = ['dist/', 'toolchain/']
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
