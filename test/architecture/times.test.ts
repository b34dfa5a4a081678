/**
 * A span of time has its unit in its type: no bare number is handed to a timer, and no constant says “milliseconds” in
 * words alone.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')

/** @returns what is wrong with the text of a file. */
function breaches(text: string): readonly string[] {
  const bare = new Set(
    [
      ...text.matchAll(/^(?:export )?const ([A-Z][A-Z_]*)(?:: number)? = [0-9][0-9_]*(?: \* [0-9_]+)*(?: \/\/.*)?$/gm),
    ].map(([, name = '']) => name),
  )
  const inWords = [...text.matchAll(/^\/\*\*[^/]*\bmilliseconds?\b[^/]*\*\/\n(?:export )?const ([A-Z_]+) = [0-9]/gim)]
  const timers = [
    ...text.matchAll(
      /\b(?:setTimeout|setInterval|delay|afterOwnTime)\((?:[^;]*?,\s*)?([A-Z_]+|[0-9][0-9_]*)(?:, [^)]*)?\)/g,
    ),
  ]
  return [
    ...inWords.map(([, name]) => `${name} says its unit in words`),
    ...timers.flatMap(([, time = '']) => (bare.has(time) || /^[1-9]/.test(time) ? [`a timer gets ${time}`] : [])),
  ]
}

test('the spans of time of the program', () => {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'))
  assert.ok(files.length > 100)
  const found = files.flatMap((file) => breaches(readFileSync(join(root, file), 'utf8')).map((it) => `${file}: ${it}`))
  assert.deepEqual(found, [])
})

for (const [text, found] of [
  ['/** How long, in milliseconds. */\nconst WAIT = 5\n', ['WAIT says its unit in words']],
  ['const WAIT = 5_000\nsetTimeout(() => end(), WAIT)\n', ['a timer gets WAIT']],
  ['await delay(5)\n', ['a timer gets 5']],
  ['setInterval(() => {\n  look()\n}, 1000)\n', ['a timer gets 1000']],
  ['const WAIT = milliseconds(5)\nsetTimeout(() => end(), WAIT)\nawait delay(WAIT)\n', []],
  ['/** Bytes. */\nconst MOST = 5\n', []],
] as const)
  test(`“${text.trim()}”: ${found.join() || 'nothing wrong'}`, () => {
    assert.deepEqual(breaches(text), found)
  })
