import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSettingLines } from './setting-lines.ts'

const read = (text: string) => {
  const lines = readSettingLines('access.conf', text, ['KEY'])
  return lines.ok ? lines.value.map(({ name, value }) => [name, value]) : lines.failure
}

const understood: [what: string, text: string, lines: string[][]][] = [
  ['a name and a value', 'SOURCE ANY', [['SOURCE', 'ANY']]],
  ['a semicolon, and a comment after it', 'SOURCE ANY;   # everyone', [['SOURCE', 'ANY']]],
  ['a colon after the name', 'KEY_BASE64: aGFsbG8=', [['KEY_BASE64', 'aGFsbG8=']]],
  ['blanks around', '\t SOURCE \t ANY \t', [['SOURCE', 'ANY']]],
  ['blanks inside', 'KEY two words # and this', [['KEY', 'two words # and this']]],
  ['comments and empty lines', '# a\n\n; b\n   # c\n', []],
  [
    'line ends of other systems, and a byte order mark',
    '\uFEFFSOURCE ANY\r\nKEY a\r\n',
    [
      ['SOURCE', 'ANY'],
      ['KEY', 'a'],
    ],
  ],
  ['an include', '%include /etc/fwknop/a.conf', [['%include', '/etc/fwknop/a.conf']]],
  ['a name alone, whose value is empty', 'KEY', [['KEY', '']]],
]
for (const [what, text, lines] of understood) test(`${what} is understood`, () => assert.deepEqual(read(text), lines))

const refused: [what: string, line: string, suggestion?: string][] = [
  ['a value that a semicolon cuts', 'KEY ab;cd'],
  ['an equals sign for a blank', 'KEY=abcd', 'KEY …'],
  ['no blank after the colon', 'KEY:abcd'],
  ['no name', '= 3'],
  ['a quoted line', '"SOURCE ANY"'],
  ['a control character', 'KEY a\u0007b'],
]
for (const [what, line, suggestion] of refused) {
  test(`${what} is refused, with file and line`, () => {
    const failure = read(`SOURCE ANY\n${line}\n`)
    assert(!Array.isArray(failure))
    assert.equal(failure.code, 'CONFIG_SYNTAX')
    assert.deepEqual(failure.at, { file: 'access.conf', line: 2 })
    assert.equal(failure.suggestion, suggestion)
    assert(!failure.detail.includes('abcd'), 'a line that may hold a key is not told')
  })
}

test('blanks at the end of a value are told apart, since versions of fwknop differ about them', () => {
  const lines = readSettingLines('f', 'KEY a \nKEY a;\nKEY a ;', [])
  assert(lines.ok)
  assert.deepEqual(
    lines.value.map((line) => line.trailingBlanks),
    [true, false, true],
  )
})
