/** The history: what is kept, what is found, what is exported; and a text that a spreadsheet must not calculate. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { NewEvent } from './event.ts'
import { cell, exportLine } from './export.ts'
import { History } from './history.ts'
import { pageOf, readFilter, sumRefusals } from './history-query.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'ghostport-history-'))
  folders.push(made)
  return made
}

function open(path: string, bounds = { days: 30, events: 1_000 }): History {
  const opened = History.open(path, bounds)
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
function knock(second: number, fields: Readonly<Record<string, unknown>> = {}): NewEvent {
  return {
    at: at(second),
    level: 'info',
    event: 'knock',
    fields: { verdict: 'granted', source: '192.0.2.1', ...fields },
  }
}
const place = (number: number) => ({ server: 's', number })

describe('the history', () => {
  it('has numbers that grow, also in the next process, and keeps how far the log was read', () => {
    const path = folder()
    const first = open(path)
    assert.equal(first.place(), undefined)
    assert.deepEqual(
      first.append([knock(1), knock(2)], place(2)).map(({ id }) => id),
      [1, 2],
    )
    first.close()
    const second = open(path)
    assert.deepEqual(second.place(), place(2))
    assert.deepEqual(
      second.append([knock(3)], place(3)).map(({ id }) => id),
      [3],
    )
    assert.deepEqual(
      second.eventsBefore(3, 10).map(({ id, at }) => [id, at]),
      [
        [2, at(2)],
        [1, at(1)],
      ],
    )
    second.close()
  })

  it('is there after the process was killed', () => {
    const path = folder()
    const program = `
      const { History } = await import(${JSON.stringify(new URL('./history.ts', import.meta.url).href)})
      const { value } = History.open(${JSON.stringify(path)}, { days: 30, events: 1000 })
      for (let i = 1; i <= 50; i++)
        value.append([{ at: new Date().toISOString(), level: 'info', event: 'knock', fields: {} }], { server: 's', number: i })
      process.kill(process.pid, 'SIGKILL')`
    spawnSync(process.execPath, ['--conditions=ghostport-source', '--input-type=module', '-e', program])
    const history = open(path)
    assert.deepEqual([history.kept, history.last, history.place()], [50, 50, place(50)])
    history.close()
  })

  it('is bounded in number and age', () => {
    const history = open(folder(), { days: 1, events: 1_000 })
    const many = Array.from({ length: 1_500 }, (_, i) => knock(i))
    history.append(many, place(1_500))
    assert.deepEqual([history.kept, history.oldest?.id], [1_000, 501])
    const later = Date.UTC(2026, 0, 2, 0, 0, 1_000)
    assert.equal(history.forgetOld(later), false)
    assert.deepEqual([history.kept, history.oldest?.at], [500, at(1_000)])
    history.close()
  })

  it('events that cannot be written are not read again, and the history says how many are missing', () => {
    const path = folder()
    const history = open(path)
    history.append([knock(1)], place(1))
    const other = new DatabaseSync(join(path, 'history.db'))
    other.exec('BEGIN IMMEDIATE')
    history.append([knock(2), knock(3)], place(3))
    assert.match(history.problem ?? '', /cannot be written/)
    assert.deepEqual([history.place(), history.kept], [place(3), 1])
    other.exec('ROLLBACK')
    other.close()
    const kept = history.append([knock(4)], place(4))
    assert.equal(history.problem, undefined)
    assert.deepEqual(
      kept.map(({ id, event, lost }) => [id, event, lost]),
      [
        [4, 'knock', undefined],
        [5, 'console', 2],
      ],
    )
    assert.equal(history.kept, 3)
    history.close()
    const again = open(path)
    assert.deepEqual([again.kept, again.place()], [3, place(4)])
    again.close()
  })

  it('a file of a newer version is left as it is', () => {
    const path = folder()
    open(path).close()
    const newer = new DatabaseSync(join(path, 'history.db'))
    newer.exec('PRAGMA user_version = 2')
    const opened = History.open(path, { days: 1, events: 1_000 })
    assert.ok(!opened.ok)
    assert.match(opened.failure.detail, /newer/)
    assert.deepEqual({ ...newer.prepare('PRAGMA user_version').get() }, { user_version: 2 })
    newer.close()
  })

  it('a damaged file is named, with a way on', () => {
    const path = folder()
    writeFileSync(join(path, 'history.db'), 'no database at all, but long enough to be looked at'.repeat(50))
    const opened = History.open(path, { days: 1, events: 1_000 })
    assert.ok(!opened.ok)
    assert.equal(opened.failure.code, 'CONFIG_UNREADABLE')
    assert.match(opened.failure.suggestion ?? '', /mv .*history\.db/)
  })

  it('pages and filters', async () => {
    const history = open(folder())
    history.append(
      [
        knock(1, { user: 'ada', name: 'ada-phone' }),
        knock(2, { verdict: 'refused', code: 'SPA_REPLAYED', source: '192.0.2.2', user: 'Bob' }),
        knock(3, { verdict: 'refused', code: 'SPA_STALE', source: '192.0.2.2' }),
        { at: at(4), level: 'warning', event: 'repair', fields: { detail: 'Rules came back' } },
      ],
      place(4),
    )
    const found = async (query: Readonly<Record<string, string>>, before = 100, most = 10) => {
      const filter = readFilter(new Map(Object.entries(query)))
      assert.ok(filter !== undefined)
      const { events, next } = await pageOf(history, filter, before, most)
      return [events.map(({ id }) => id), next]
    }
    assert.deepEqual(await found({}), [[4, 3, 2, 1], undefined])
    assert.deepEqual(await found({}, 100, 2), [[4, 3], 3])
    assert.deepEqual(await found({}, 3, 2), [[2, 1], 1])
    assert.deepEqual(await found({ verdict: 'refused' }), [[3, 2], undefined])
    assert.deepEqual(await found({ code: 'SPA_STALE' }), [[3], undefined])
    assert.deepEqual(await found({ user: 'ada-phone' }), [[1], undefined])
    assert.deepEqual(await found({ source: '192.0.2.2' }), [[3, 2], undefined])
    assert.deepEqual(await found({ event: 'repair,grant ended' }), [[4], undefined])
    assert.deepEqual(await found({ q: 'bOb' }), [[2], undefined])
    assert.deepEqual(await found({ q: 'rules' }), [[4], undefined])
    assert.deepEqual(await found({ from: at(2), to: at(3) }), [[3, 2], undefined])
    for (const bad of [{ from: 'yesterday' }, { verdict: 'maybe' }, { q: 'x'.repeat(301) }])
      assert.equal(readFilter(new Map(Object.entries(bad) as [string, string][])), undefined)
    history.close()
  })

  it('counts refusals over time and by source, also those that were only counted', async () => {
    const history = open(folder())
    const refused = (second: number, code: string, source: string) =>
      knock(second, { verdict: 'refused', code, source })
    history.append(
      [
        refused(1, 'SPA_STALE', 'a'),
        refused(2, 'SPA_STALE', 'b'),
        refused(61, 'SPA_REPLAYED', 'b'),
        knock(62),
        { at: at(63), level: 'warning', event: 'suppressed', fields: { counts: { SPA_STALE: 40, __proto__: 1 } } },
        { at: at(63), level: 'warning', event: 'other', fields: { detail: '"suppressed"', counts: { SPA_STALE: 9 } } },
      ],
      place(6),
    )
    const sums = await sumRefusals(history, { from: Date.parse(at(0)), to: Date.parse(at(100)), step: 60_000 })
    assert.deepEqual(sums.steps, [
      { at: at(0), codes: { SPA_STALE: 2 } },
      { at: at(60), codes: { SPA_STALE: 40, SPA_REPLAYED: 1 } },
    ])
    assert.deepEqual(sums.codes, [
      { code: 'SPA_STALE', count: 42 },
      { code: 'SPA_REPLAYED', count: 1 },
    ])
    assert.deepEqual(sums.sources[0], {
      ...{ source: 'b', count: 2, last: at(61) },
      codes: { SPA_STALE: 1, SPA_REPLAYED: 1 },
    })
    history.close()
  })
})

describe('an exported cell', () => {
  for (const [value, shown] of [
    ['ada', 'ada'],
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(1)', "'@SUM(1)"],
    [' =1', "' =1"],
    ['a,b', '"a,b"'],
    ['a;=1+1;b', `"a;'=1+1;b"`],
    ['a\t@SUM(1)', `a\t'@SUM(1)`],
    ['a\n=1', `"a\n'=1"`],
    ['＝1', "'＝1"],
    ['a\nb', '"a\nb"'],
    [12, '12'],
    [undefined, ''],
    [{ a: 1 }, '"{""a"":1}"'],
  ] as const)
    it(JSON.stringify(value) ?? 'nothing', () => assert.equal(cell(value), shown))

  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('=', '-', '@', ';', '\t', '\r', '\n', ' ', '"', ',', 'a') }),
  )
  it('never begins as a formula, and is one cell, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = cell(text)
        const inside = shown.startsWith('"') ? shown.slice(1, -1).replaceAll('""', '"') : shown
        for (const part of inside.split(/[;\t\r\n]/)) assert.doesNotMatch(part, /^\s*[=+\-@＝＋－＠]/)
        assert.ok(
          shown.startsWith('"')
            ? !/(?<!")"(?!")/.test(shown.slice(1, -1).replaceAll('""', ''))
            : !/[",\r\n]/.test(shown),
        )
      }),
    )
  })

  it('a line of JSON has the whole event', () => {
    const event = { id: 1, at: at(1), level: 'info', event: 'knock', user: '\u001b[2J' }
    assert.deepEqual(JSON.parse(exportLine(event, 'jsonl')), event)
    assert.ok(!exportLine(event, 'jsonl').includes('\u001b'))
  })
})
