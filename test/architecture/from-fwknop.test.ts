/** docs/FROM-FWKNOP.md describes every variable and every rule as the code treats it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { knockOptions } from '../../src/cli/knock/knock-flags.ts'
import type { OptionSpec } from '../../src/cli/terminal/parse-command-line.ts'
import { usedStanzaSettings } from '../../src/config/access/access-setting-names.ts'
import { unusedSettings } from '../../src/config/client/fwknoprc-settings.ts'
import {
  irrelevantSettings,
  refusedSettings,
  settingAliases,
  usedSettings,
} from '../../src/config/server/fwknopd-settings.ts'
import { stricterRules } from '../vectors/judge.ts'

const text = readFileSync(new URL('../../docs/FROM-FWKNOP.md', import.meta.url), 'utf8')

/** The rows of the table under a heading: first cell, without its backticks → the other cells. */
function tableUnder(heading: string): Map<string, string[]> {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert(section !== undefined, heading)
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const cells = rows.map((row) => row.slice(2, -2).split(' | '))
  return new Map(cells.map(([name = '', ...rest]) => [name.replaceAll('`', ''), rest]))
}

const later = (of: typeof refusedSettings) =>
  Object.entries(of).map(([name, { instead, mayBeNo }]): [string, string[]] => [
    name,
    ['refused', mayBeNo ? `${instead}. \`N\` may stay` : instead],
  ])

function assertTable(
  table: Map<string, string[]>,
  used: readonly string[],
  others: readonly [string, string[]][],
): void {
  assert.deepEqual([...table.keys()].sort(), [...used, ...others.map(([name]) => name)].sort())
  for (const name of used) assert.equal(table.get(name)?.[0], 'used', name)
  for (const [name, cells] of others) assert.deepEqual(table.get(name), cells)
}

test('every variable of fwknopd.conf', () => {
  assertTable(
    tableUnder('fwknopd.conf'),
    [...Object.keys(usedSettings), ...Object.keys(settingAliases)],
    [
      ...Object.entries(irrelevantSettings).map(([name, why]): [string, string[]] => [name, ['no effect', why]]),
      ...later(refusedSettings),
    ],
  )
})

test('every variable of access.conf', () => {
  assertTable(tableUnder('access.conf'), usedStanzaSettings, [])
})

test('every setting and option of the client that is refused or without effect', () => {
  const toldUnder = (heading: string): Set<string> =>
    new Set(
      [...tableUnder(heading).keys()].flatMap((names) => names.split(', ')).map((name) => name.split(' ')[0] ?? ''),
    )
  const settings = toldUnder('.fwknoprc')
  assert.deepEqual([...settings].sort(), [...unusedSettings].sort())
  const options = toldUnder('Options of the client')
  for (const [name, spec] of Object.entries<OptionSpec>(knockOptions)) {
    const spellings = [name, ...(spec.aliases ?? [])].map((long) => `--${long}`)
    if (spec.short !== undefined) spellings.push(`-${spec.short}`)
    const told = spec.help === undefined
    for (const spelling of spellings) assert.equal(options.has(spelling), told, spelling)
  }
})

test('every rule by which a packet is refused that fwknopd accepts, with its reason', () => {
  const table = tableUnder('Stricter reading of packets')
  assert.deepEqual([...table.keys()].sort(), Object.keys(stricterRules).sort())
  for (const [rule, { sentence }] of Object.entries(stricterRules)) {
    const [said, reason = ''] = table.get(rule) ?? []
    assert.equal(said, sentence)
    assert(reason.length > 10, rule)
  }
})
