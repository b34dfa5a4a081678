/** Comments fit in 120 columns, which the formatter does not see to: it leaves comments as they are. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const COLUMNS = 120

/** @returns the numbers of the lines that are only a comment, or a part of one, and are too long. */
function tooLong(text: string): readonly number[] {
  let inside = false
  return text.split('\n').flatMap((line, index) => {
    const start = line.trim()
    const isComment = inside || start.startsWith('//') || start.startsWith('/*')
    if (start.startsWith('/*')) inside = true
    if (line.includes('*/')) inside = false
    return isComment && line.length > COLUMNS ? [index + 1] : []
  })
}

test(`no line of a comment is longer than ${COLUMNS} columns`, () => {
  const files = globSync('{src,test,scripts,bench,web}/**/*.{ts,tsx,mjs}', { cwd: root }).filter(
    (file) => !file.includes('node_modules'),
  )
  assert.ok(files.length > 300)
  const found = files.flatMap((file) =>
    tooLong(readFileSync(join(root, file), 'utf8')).map((number) => `${file}:${number}`),
  )
  assert.deepEqual(found, [])
})

const LONG = 'x'.repeat(COLUMNS)
for (const [what, text, found] of [
  ['a line', `// ${LONG}`, [1]],
  ['a line that is indented', `const a = 1\n  // ${LONG}`, [2]],
  ['a line of a block', `/**\n * ${LONG}\n */`, [2]],
  ['a block in one line', `/** ${LONG} */\nconst a = '${LONG}'`, [1]],
  ['a text that is no comment', `const a = '${LONG}'`, []],
  ['a comment that fits', `/** ${LONG.slice(7)} */`, []],
] as const)
  test(`${what}: ${found.length === 0 ? 'right' : 'too long'}`, () => {
    assert.deepEqual(tooLong(text), found)
  })
