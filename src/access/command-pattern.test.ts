import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { matchesPattern, parseCommandPattern } from './command-pattern.ts'

function matches(pattern: string, command: string): boolean {
  const parsed = parseCommandPattern(pattern)
  assert(parsed.ok, pattern)
  return matchesPattern(parsed.value, command)
}

const cases: [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ['uptime', ['uptime'], ['', 'uptime ', ' uptime', 'uptimes', 'uptime; reboot', 'xuptime']],
  ['^uptime$', ['uptime'], ['uptime\nreboot']],
  ['systemctl (re)?start [a-z]+', ['systemctl start ssh', 'systemctl restart ssh'], ['systemctl stop ssh']],
  ['a|bc', ['a', 'bc'], ['abc', 'ac', 'b']],
  ['a{2,3}', ['aa', 'aaa'], ['a', 'aaaa']],
  ['a{2}', ['aa'], ['a', 'aaa']],
  ['a{2,}', ['aa', 'aaaaaa'], ['a']],
  ['[^ ;|&]+', ['reboot'], ['re boot', 'a;b', '']],
  ['[]a-]+', [']a-'], ['b']],
  ['\\d+\\.\\d+', ['1.25'], ['1x25']],
  ['[\\w.-]+', ['a_b.c-d'], ['a/b']],
  ['[\\D]', ['x'], ['5']],
  ['.*', ['', 'anything — at\nall'], []],
  ['(?:x|)y', ['y', 'xy'], ['x']],
  ['\\$5', ['$5'], ['5']],
  ['', [''], ['a']],
]
for (const [pattern, yes, no] of cases) {
  test(`the pattern ${JSON.stringify(pattern)} is for the whole command`, () => {
    for (const command of yes) assert(matches(pattern, command), command)
    for (const command of no) assert(!matches(pattern, command), command)
  })
}

const refused = [
  '(a',
  'a)',
  '[a',
  '*a',
  'a**',
  'a{2',
  'a{3,2}',
  'a{1001}',
  '\\',
  '\\n',
  '\\1',
  '(?=a)',
  'a^b',
  'a$b',
  '[z-a]',
  '(((a{500}){500}){500})',
  `${'('.repeat(60)}a${')'.repeat(60)}`,
]
for (const pattern of refused) {
  test(`the pattern ${JSON.stringify(pattern.slice(0, 30))} is refused`, () => {
    const parsed = parseCommandPattern(pattern)
    assert(!parsed.ok && parsed.failure.code === 'CONFIG_INVALID_VALUE')
  })
}

test('what JavaScript’s engine needs ages for takes no time', () => {
  const before = performance.now()
  assert(!matches('(a*)*b', 'a'.repeat(192)))
  assert(!matches('(a|aa)+b', 'a'.repeat(192)))
  assert(performance.now() - before < 1000)
})

test('no text makes the reader throw', () => {
  const signs = fc.array(fc.constantFrom(...'ab()[]{}|*+?.^$\\-,1209dws')).map((it) => it.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.string(), signs), fc.string(), (pattern, command) => {
      const parsed = parseCommandPattern(pattern)
      if (parsed.ok) matchesPattern(parsed.value, command)
    }),
    { numRuns: 1000 },
  )
})

test('it agrees with JavaScript’s engine', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\W', '5')
  const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
    pattern: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      atom,
      fc.tuple(tie('pattern'), tie('pattern')).map(([x, y]) => `${x}${y}`),
      fc.tuple(tie('pattern'), tie('pattern')).map(([x, y]) => `(${x}|${y})`),
      fc.tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{1,}')).map(([x, r]) => `(?:${x})${r}`),
    ),
  }))
  fc.assert(
    fc.property(
      pattern,
      fc.array(fc.constantFrom(...'ab5 ')).map((it) => it.slice(0, 8).join('')),
      (text, command) => {
        assert.equal(matches(text, command), new RegExp(`^(?:${text})$`, 'su').test(command))
      },
    ),
    { numRuns: 2000 },
  )
})
