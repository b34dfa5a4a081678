import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRequest, type Request } from './request.ts'

function request(...argv: string[]): Request {
  const parsed = parseRequest(argv)
  assert.ok(parsed.ok && typeof parsed.value === 'object', JSON.stringify(parsed))
  return parsed.value
}

test('without options: hits by month, the top ten agents, kinds of visitors', () => {
  const { reports, unit, eachPeriod, top, agents, format, name } = request('log')
  assert.deepEqual([...reports], ['hits', 'agents', 'kinds'])
  assert.deepEqual([unit, eachPeriod, top, agents, format], ['month', false, 10, 'version', 'table'])
  assert.ok(name.test('2006/trac_access_log.3.gz') && !name.test('error.log'))
})

test('options that bring a report of their own', () => {
  assert.deepEqual([...request('-g', 'a', '-g', 'b', '--verify', 'log').reports].slice(3), ['knocks', 'crawlers'])
  assert.ok(!request('-r', 'all', 'log').reports.has('knocks'))
  assert.equal(request('--top', '0', 'log').top, Number.POSITIVE_INFINITY)
})

for (const [argv, detail, suggestion] of [
  [[], /say which log to read/, /\/var\/log\/apache2/],
  [['-', '-'], /- is given twice/, undefined],
  [['--by', 'mnth', 'log'], /--by knows no “mnth”: it takes day, month, year/, /^month$/],
  [['-r', 'hits,agnts', 'log'], /--report knows no “agnts”/, /^agents$/],
  [['-r', ',', 'log'], /--report needs names/, undefined],
  [['--kind', 'bot', 'log'], /--kind knows no “bot”/, undefined],
  [['--top', 'many', 'log'], /--top needs a number, not “many”/, undefined],
  [['--since', '2006-13', 'log'], /--since needs a day, month or year/, undefined],
  [['--until', '2006-02-30', 'log'], /--until needs/, undefined],
  [['--since', '2007', '--until', '2006-12', 'log'], /--since is after --until/, undefined],
  [['--status', '4x', 'log'], /--status needs statuses, as 404 or 4xx, not “4x”/, undefined],
  [['--address', '192.0.2.1/33', 'log'], /“192.0.2.1\/33” is no address and no network/, /2001:db8::\/32/],
  [['--path', '(', 'log'], /--path: “\(” is no regular expression/, /^\\\($/],
  [['--log-format', 'combind', 'log'], /“combind” is no format/, /^combined$/],
  [['--rest', 'log'], /--rest has no effect without --agent/, undefined],
  [['--rest', '-a', 'x', '-f', 'json', 'log'], /--format json has no place for them/, undefined],
  [['--lines', '-f', 'csv', '-r', 'hits', 'log'], /--lines prints no report/, undefined],
  [['-r', 'knocks', 'log'], /needs the log of ghostport/, undefined],
  [['-f', 'csv', 'log'], /CSV has room for one report: choose one by --report hits/, undefined],
  [['-f', 'svg', 'log'], /add --report hits/, undefined],
  [['--resolver', '::1', 'log'], /no effect without --verify/, undefined],
  [['--verify', '--resolver', 'dns.example', 'log'], /--resolver needs an IP address/, undefined],
  [['--agnt', 'x', 'log'], /no option --agnt/, /^--agent$/],
] as const)
  test(`${argv.join(' ') || '(nothing)'} is refused`, () => {
    const parsed = parseRequest(argv)
    assert.ok(!parsed.ok)
    assert.equal(parsed.failure.code, 'CLI_USAGE')
    assert.match(parsed.failure.detail, detail)
    if (suggestion === undefined) assert.equal(parsed.failure.suggestion, undefined)
    else assert.match(parsed.failure.suggestion ?? '', suggestion)
  })

test('no words make it throw', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('-r', '--by', '-p', '--since', '--address', '--log-format', '-', 'log'),
  )
  fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (argv) => void parseRequest(argv)))
})
