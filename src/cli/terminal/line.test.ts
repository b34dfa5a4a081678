import assert from 'node:assert/strict'
import { test } from 'node:test'
import { line, renderLine, style } from './line.ts'

const HOSTILE = 'x\u001b[32mgood\u001b[0m\n\u009b2J\u202e'
const HARMLESS = 'x\\x1b[32mgood\\x1b[0m\\n\\x9b2J\\u{202e}'

test('marks of ours are shown where colour is wanted, and those of a text never are', () => {
  const shown = line`${style.good('open')} for ${HOSTILE}, ${style.bad(HOSTILE)}, ${7} s`
  assert.equal(
    renderLine(shown, true),
    `\u001b[32mopen\u001b[39m for ${HARMLESS}, \u001b[31m${HARMLESS}\u001b[39m, 7 s`,
  )
  assert.equal(renderLine(shown, false), `open for ${HARMLESS}, ${HARMLESS}, 7 s`)
})

test('lines in lines keep their marks, and plain text has none', () => {
  const inner = line`a ${style.bold('b')}`
  assert.equal(renderLine(line`${inner} c`, true), 'a \u001b[1mb\u001b[22m c')
  assert.equal(renderLine(HOSTILE, true), HARMLESS)
})
