/**
 * The code cites docs/WIRE.md by section. Each cited section must exist, and sections must be numbered without a gap.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const wire = readFileSync(join(root, 'docs', 'WIRE.md'), 'utf8')
const sections = [...wire.matchAll(/^## (\d+)\. /gm)].map(([, number]) => Number(number))

test('the sections of docs/WIRE.md are numbered from 1', () => {
  assert.ok(sections.length > 10)
  assert.deepEqual(
    sections,
    sections.map((_, i) => i + 1),
  )
})

test('docs/WIRE.md refers to sections that it has', () => {
  for (const [, number] of wire.matchAll(/§ (\d+)/g)) assert.ok(sections.includes(Number(number)), `§ ${number}`)
})

test('the code cites sections that there are', () => {
  let cited = 0
  for (const file of globSync(['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'], { cwd: root })) {
    for (const [citation] of readFileSync(join(root, file), 'utf8').matchAll(/docs\/WIRE\.md(?:,? § \d+(?:–\d+)?)+/g)) {
      for (const [number] of citation.matchAll(/\d+/g)) {
        cited++
        assert.ok(sections.includes(Number(number)), `${file} cites § ${number}`)
      }
    }
  }
  assert.ok(cited > 20, `${cited}`)
})
