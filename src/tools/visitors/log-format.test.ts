import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyFormat } from './any-format.ts'
import { readJsonLine } from './json-line.ts'
import { compileFormat, type LineReader, NAMED_FORMATS } from './log-format.ts'
import { dayOf, targetOf } from './visit.ts'

function reader(format: string): LineReader {
  const compiled = compileFormat(format)
  assert.ok(compiled.ok, JSON.stringify(compiled))
  return compiled.value
}

const COMMON = '192.0.2.1 - ada [10/Oct/2006:13:55:36 -0700] "GET /trac/x?y=1 HTTP/1.0" 200 2326'
const GOOGLE = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
const COMBINED = `${COMMON} "http://a/" "${GOOGLE}"`
const VISIT = { address: '192.0.2.1', day: '2006-10-10', target: '/trac/x?y=1', status: 200 }

for (const [what, format, line, expected] of [
  ['common', 'common', COMMON, { ...VISIT, agent: '' }],
  ['combined', 'combined', COMBINED, { ...VISIT, agent: GOOGLE }],
  ['with the virtual host', 'vhost_combined', `www:80 ${COMBINED}`, { ...VISIT, agent: GOOGLE }],
  [
    'IPv6',
    'combined',
    COMBINED.replace('192.0.2.1', '2001:db8::1'),
    { ...VISIT, address: '2001:db8::1', agent: GOOGLE },
  ],
  ['quotes in the agent', 'combined', `${COMMON} "-" "a \\"b\\" c"`, { ...VISIT, agent: 'a \\"b\\" c' }],
  ['a backslash at its end', 'combined', `${COMMON} "-" "a\\\\"`, { ...VISIT, agent: 'a\\\\' }],
  [
    'quotes in the request',
    'combined',
    COMBINED.replace('/trac/x?y=1', '/\\"q'),
    { ...VISIT, target: '/\\"q', agent: GOOGLE },
  ],
  [
    'no request',
    'combined',
    COMBINED.replace('GET /trac/x?y=1 HTTP/1.0', '-'),
    { ...VISIT, target: '', agent: GOOGLE },
  ],
  [
    'nginx',
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
    COMBINED,
    { ...VISIT, agent: GOOGLE },
  ],
  [
    'a user name that has a time in it',
    'combined',
    COMBINED.replace(' ada ', ' x [01/Jan/1990:00:00:00 +0000] \\" [ '),
    { ...VISIT, agent: GOOGLE },
  ],
  ['a user name with blanks', 'combined', COMBINED.replace(' ada ', ' ada of x '), { ...VISIT, agent: GOOGLE }],
  ['a Unix time', '%h %{sec}t "%r" %s', '192.0.2.1 1160513736 "GET /trac/x?y=1 HTTP/1.0" 200', { ...VISIT, agent: '' }],
  [
    'a time in a form of its own',
    '(%{[%d.%b/%Y]:%T %z}t) %h "%r" %s',
    '([10.Oct/2006]:13:55:36 -0700) 192.0.2.1 "GET /trac/x?y=1 HTTP/1.0" 200',
    { ...VISIT, agent: '' },
  ],
  [
    'one with blanks, and nothing around it',
    '%{%a %B %e %y %I:%M %p}t %h "%r" %s',
    'Tue October 10 06 01:55 PM 192.0.2.1 "GET /trac/x?y=1 HTTP/1.0" 200',
    { ...VISIT, agent: '' },
  ],
  [
    'day and time apart',
    '%{%F}t %{%T}t %h "%r" %s',
    '2006-10-10 13:55:36 192.0.2.1 "GET /trac/x?y=1 HTTP/1.0" 200',
    { ...VISIT, agent: '' },
  ],
  [
    'path and query apart',
    '%h %t %m %U%q %s',
    '192.0.2.1 [10/Oct/2006:13:55:36 -0700] GET /trac/x?y=1 200',
    { ...VISIT, agent: '' },
  ],
  [
    'the same of nginx',
    '$remote_addr [$time_local] $uri$is_args$args $status',
    '192.0.2.1 [10/Oct/2006:13:55:36 -0700] /trac/x?y=1 200',
    { ...VISIT, agent: '' },
  ],
  [
    'the line of httpd.conf',
    'LogFormat "%h %t \\"%r\\" %>s \\"%{User-Agent}i\\"" mine',
    '192.0.2.1 [10/Oct/2006:1:1:1 +0000] "GET /trac/x?y=1 HTTP/1.0" 200 "z"',
    { ...VISIT, agent: 'z' },
  ],
  [
    'the lines of nginx.conf',
    `log_format mine '$remote_addr [$time_local] '\n  '"$request" $status';`,
    '192.0.2.1 [10/Oct/2006:1:1:1 +0000] "GET /trac/x?y=1 HTTP/1.0" 200',
    { ...VISIT, agent: '' },
  ],
  [
    'LogFormat as in a file',
    '%a %t \\"%r\\" \\"%{user-agent}i\\"',
    '192.0.2.1 [10/Oct/2006:1:1:1 +0000] "GET /trac/x?y=1 HTTP/1.0" "z"',
    { ...VISIT, status: 0, agent: 'z' },
  ],
] as const)
  test(`a line is read: ${what}`, () => {
    assert.deepEqual(reader(format)(line), expected)
  })

for (const line of [
  '',
  'no log',
  COMBINED.slice(0, 100),
  COMBINED.replace('10/Oct/2006', '10/Okt/2006'),
  COMBINED.replace('[', '('),
  `${COMMON} "http://a/" "no end`,
])
  test(`a line that is none: ${line.slice(-40)}`, () => {
    assert.equal(reader('combined')(line), undefined)
  })

for (const [format, told] of [
  ['combind', '“combind” is no format of a log'],
  ['%t "%r"', 'the format lacks an address (%h, $remote_addr)'],
  ['%h %{%H:%M}t "%r"', 'the format lacks a time with its day (%t, $time_local, %{%F %T}t)'],
  ['%h %{%Q %F}t "%r"', 'the format lacks a time with its day (%t, $time_local, %{%F %T}t)'],
  ['%h %s', 'the format lacks a time with its day (%t, $time_local, %{%F %T}t) and a request (%r, $request)'],
  ['%h%r %t', 'two fields of the format have nothing between them'],
] as const)
  test(`“${format}” is refused`, () => {
    const compiled = compileFormat(format)
    assert.equal(compiled.ok ? '' : compiled.failure.detail, told)
  })

test('JSON, by the usual names', () => {
  for (const record of [
    {
      remote_addr: '192.0.2.1',
      time_iso8601: '2006-10-10T13:55:36-07:00',
      request: 'GET /a HTTP/1.1',
      status: 200,
      http_user_agent: 'x',
    },
    { ip: '192.0.2.1', time: '[10/Oct/2006:13:55:36 -0700]', uri: '/a', status: '200', user_agent: 'x' },
    // Caddy
    {
      ts: 1160513736.5,
      request: { remote_ip: '192.0.2.1', uri: '/a', headers: { 'User-Agent': ['x'] } },
      status: 200,
    },
  ])
    assert.deepEqual(readJsonLine(JSON.stringify(record)), { ...VISIT, target: '/a', agent: 'x' })
  for (const line of ['[]', 'null', '{}', '{"ip":{}}', '{']) assert.equal(readJsonLine(line), undefined)
})

test('the form is found out for each line', () => {
  const json = JSON.stringify({ ip: '192.0.2.1', time: '2006-10-10', uri: '/a', ua: 'x' })
  const cut = COMBINED.slice(0, -5)
  const ipv6 = COMBINED.replace('192.0.2.1', '2001:db8::1')
  const read = anyFormat()
  assert.deepEqual(
    ['junk', COMBINED, COMMON, `www:80 ${COMBINED}`, json, ipv6, cut, COMBINED].map((line) => {
      const visit = read(line)
      return visit && [visit.address, visit.agent]
    }),
    [
      undefined,
      ['192.0.2.1', GOOGLE],
      ['192.0.2.1', ''],
      ['192.0.2.1', GOOGLE],
      ['192.0.2.1', 'x'],
      ['2001:db8::1', GOOGLE],
      undefined,
      ['192.0.2.1', GOOGLE],
    ],
  )
})

test('only days that exist', () => {
  const times = [
    '29/Feb/2024:',
    '2024-02-29T',
    '29/Feb/2023:',
    '31/Apr/2024:',
    '2100-02-29',
    '2023-02-30 1',
    '0000-01-01',
  ]
  assert.deepEqual(times.map(dayOf), ['2024-02-29', '2024-02-29', ...Array(4).fill(undefined), '0000-01-01'])
})

test('days and targets', () => {
  const times = [
    '31/Dec/2009:23:59:59 +0000',
    '1262304000.123',
    '2009-12-31 10:00',
    '2009-13-01T',
    '1/Jan/2009',
    '99/Dec/2009:',
  ]
  assert.deepEqual(times.map(dayOf), ['2009-12-31', '2010-01-01', '2009-12-31', undefined, undefined, undefined])
  assert.deepEqual(['GET / HTTP/1.1', 'GET /a b HTTP/1.1', 'GET /old', '-', '', '\\x16\\x03 x'].map(targetOf), [
    '/',
    '/a b',
    '/old',
    '',
    '',
    '\\x16\\x03 x',
  ])
})

test('no line makes a reader throw', () => {
  const readers = [...Object.keys(NAMED_FORMATS).map(reader), readJsonLine, anyFormat()]
  const parts = fc.constantFrom('"', '\\', '[', ']', ' ', '%', '10/Oct/2006:13:55:36 -0700', '192.0.2.1', '{', '}', 'x')
  fc.assert(
    fc.property(
      fc.array(parts).map((all) => all.join('')),
      (line) => readers.forEach((read) => void read(line)),
    ),
  )
  fc.assert(fc.property(fc.string(), (format) => void compileFormat(format)))
})
