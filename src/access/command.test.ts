import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitWords } from '../bytes/words.ts'
import { type AccountName, judgeCommand, throughSudo } from './command.ts'
import { parseCommandPattern } from './command-pattern.ts'

test('a command is split at blanks, and quotes, dollars and semicolons are characters like others', () => {
  assert.deepEqual(splitWords('  a  "b c"\t$HOME;`id`\n|x '), ['a', '"b', 'c"', '$HOME;`id`', '|x'])
  assert.equal(splitWords(' \t'), undefined)
})

test('a command of blanks is denied, and one that the pattern does not match', () => {
  const pattern = parseCommandPattern('[a-z ]+')
  assert(pattern.ok)
  const rule = { runAs: {}, pattern: pattern.value }
  assert(judgeCommand(rule, 'echo hi').ok)
  for (const [denied, under] of [
    ['echo hi;', rule],
    ['   ', { runAs: {} }],
    ['echo', undefined],
  ] as const) {
    const judged = judgeCommand(under, denied)
    assert(!judged.ok && judged.failure.code === 'ACCESS_COMMAND_DENIED')
  }
})

test('a rule may limit the words of a command', () => {
  const rule = { runAs: {}, mostWords: 3 }
  assert(judgeCommand(rule, 'ls  -a -b').ok)
  const judged = judgeCommand(rule, 'ls -a -b -c')
  assert(!judged.ok)
  assert.equal(judged.failure.detail, 'the command has 4 words, and fwknopd runs at most 3')
})

test('sudo never takes a word of the command for an option', () => {
  const [user, group] = ['www' as AccountName, 'adm' as AccountName]
  assert.deepEqual(throughSudo(['-u', 'root', 'id'], { user, group }, '/usr/bin/sudo'), [
    '/usr/bin/sudo',
    '-n',
    '-u',
    'www',
    '-g',
    'adm',
    '--',
    '-u',
    'root',
    'id',
  ])
  assert.deepEqual(throughSudo(['id'], { group }, '/s'), ['/s', '-n', '-g', 'adm', '--', 'id'])
})
