/**
 * Text that arrives in pieces is decoded as a whole. A letter of several bytes may arrive in two pieces; if each piece
 * is decoded by itself, the letter is lost. `setEncoding('utf8')` keeps the first half until the other comes.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')

/** @returns the numbers of the lines that add a piece of bytes, decoded by itself, to a text. */
function decodedAlone(text: string): readonly number[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      /\+= *(String\(\w+\)|\w+\.toString\((['"]utf-?8['"])?\)|new TextDecoder\(\)\.decode)/.test(line)
        ? [index + 1]
        : [],
    )
}

test('no piece of a text is decoded by itself', () => {
  const files = globSync('{src,scripts,bench,test/support}/**/*.{ts,mjs}', { cwd: root })
  assert.ok(files.length > 300)
  const found = files.flatMap((file) =>
    decodedAlone(readFileSync(join(root, file), 'utf8')).map((number) => `${file}:${number}`),
  )
  assert.deepEqual(found, [])
})

for (const [text, found] of [
  ["said += chunk.toString('utf8')", [1]],
  ['a\nsaid += data.toString()', [2]],
  ['shown += String(bytes)', [1]],
  // One byte is one character of it.
  ["said += chunk.toString('latin1')", []],
  ['said += chunk', []],
] as const)
  test(`found in: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(decodedAlone(text), found)
  })
