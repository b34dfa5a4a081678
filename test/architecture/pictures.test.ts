/** The pictures of the documents are as `npm run pictures` draws them now, and every text in them fits. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { drawPictures } from '../../scripts/pictures/all.ts'
import { readBenchmarkTable } from '../../scripts/pictures/benchmark-table.ts'
import { text } from '../../scripts/pictures/svg.ts'

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8')

for (const [file, svg] of drawPictures(read))
  describe(file, () => {
    it('is drawn from what the documents say now', () =>
      assert.ok(read(file) === svg, `${file} is stale: npm run pictures`))

    it('has a title and a description, and is one image for a screen reader', () => {
      assert.match(svg, /^<svg [^>]*role="img" aria-labelledby="title description">\n<title id="title">[^<]+<\/title>/)
      assert.match(svg, /<desc id="description">[^<]+<\/desc>/)
    })

    it('is readable in a dark scheme, and takes nothing from outside', () => {
      assert.match(svg, /@media\(prefers-color-scheme:dark\)/)
      assert.doesNotMatch(svg, /<(script|image|use|foreignObject)\b|href=|url\(|@import|@font-face/)
    })

    it('is shown in the README, with words for who does not see it', () => {
      const shown = /!\[([^\]]+)\]\(([^)]+)\)/g
      const alt = [...read('README.md').matchAll(shown)].find(([, , target]) => target === file)?.[1]
      assert.ok(alt !== undefined && alt.length > 40, alt)
    })
  })

it('the chart changes with the table', () => {
  const changed = (name: string) =>
    read(name).replace(/^(\| knock to open door \| fwknopd, UDP \| )[\d.]+ ms/m, '$199.5 ms')
  const [, before = ''] = [...drawPictures(read).values()]
  const [, after = ''] = [...drawPictures(changed).values()]
  assert.ok(!before.includes('99.5 ms') && after.includes('99.5 ms'))
})

it('a row that the chart needs and the table lacks is named', () => {
  const without = (name: string) => read(name).replace('| start to ready |', '| start |')
  assert.throws(() => drawPictures(without), /the table has no row “start to ready”; it has: knock to open door; /)
})

it('a median is a number with its unit, or a share', () => {
  const page = (median: string) =>
    `2026-11-23; Linux 6.18, 2 cores. One run.\n\n| measured | server | median |\n| --- | --- | --- |\n| a | b | ${median} |\n`
  const value = (median: string) => readBenchmarkTable(page(median)).rows.get('a')?.get('b')?.value
  assert.equal(value('11.7 ms'), 11.7)
  assert.equal(value('58 of 1000'), 0.058)
  assert.throws(() => value('soon'), /“soon” is no median/)
  assert.equal(readBenchmarkTable(page('1 ms')).circumstances, '2026-11-23; Linux 6.18, 2 cores.')
})

it('text that is wider than its room is not drawn', () => {
  assert.match(text(0, 0, 100, 'short'), /^<text .*>short<\/text>$/)
  assert.throws(() => text(0, 0, 100, 'much longer than that'), /needs a width of \d+, and has 100/)
})
