import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  dropSettings,
  editStanza,
  overwrittenKeys,
  type RcChange,
  removeStanza,
  renameStanza,
  writtenSettings,
} from './edit-fwknoprc.ts'
import { parseFwknoprc } from './parse-fwknoprc.ts'

const row = (name: string, value: string): string => `${name.padEnd(24)}    ${value}\n`
const access: RcChange = { name: 'ACCESS', value: 'tcp/22' }
const key: RcChange = { name: 'KEY_BASE64', value: 'YWJj' }

describe('a stanza of .fwknoprc is edited', () => {
  const cases: [name: string, before: string, changes: RcChange[], after: string][] = [
    ['in an empty file', '', [access], `[home]\n${row('ACCESS', 'tcp/22')}`],
    ['at the end', '[a]\nKEY x\n', [access], `[a]\nKEY x\n\n[home]\n${row('ACCESS', 'tcp/22')}`],
    ['after a line without end', '[a]\nKEY x', [access], `[a]\nKEY x\n\n[home]\n${row('ACCESS', 'tcp/22')}`],
    ['in place', '[home]\nACCESS tcp/1 # mine\nVERBOSE Y\n', [access], `[home]\n${row('ACCESS', 'tcp/22')}VERBOSE Y\n`],
    [
      'and comments, blank lines and other stanzas stay',
      '# top\n\n[ Home ]\n# about\nKEY x\n\n# next\n[b]\nACCESS tcp/1\n',
      [access],
      `# top\n\n[ Home ]\n# about\nKEY x\n${row('ACCESS', 'tcp/22')}\n# next\n[b]\nACCESS tcp/1\n`,
    ],
    [
      'and one setting replaces all that answer the same question',
      '[home]\nKEY x\nKEY_FILE y\nACCESS tcp/1\n',
      [key],
      `[home]\n${row('KEY_BASE64', 'YWJj')}ACCESS tcp/1\n`,
    ],
    ['below its header', '[home]\n[b]\n', [access], `[home]\n${row('ACCESS', 'tcp/22')}[b]\n`],
    [
      'with the settings of a comment left alone',
      '[home]\n#KEY x\n',
      [key],
      `[home]\n${row('KEY_BASE64', 'YWJj')}#KEY x\n`,
    ],
  ]
  for (const [name, before, changes, after] of cases)
    it(name, () => assert.equal(editStanza(before, 'home', changes), after))

  it('and what replaces key material is asked about', () => {
    const text = '[other]\nKEY a\n[home]\nKEY x\nHMAC_KEY y\nACCESS tcp/1\n'
    const changes: RcChange[] = [key, access, { name: 'HMAC_KEY', value: 'y' }]
    assert.deepEqual(overwrittenKeys(text, 'HOME', changes), [{ name: 'KEY', change: key }])
    assert.deepEqual(overwrittenKeys(text, 'none', changes), [])
  })

  it('whatever the file holds: the new settings are read back, and the other lines are there', () => {
    const line = fc.constantFrom(
      '[a]',
      '[home]',
      '[b] ',
      '# c',
      '',
      'KEY x',
      'ACCESS tcp/9',
      'KEY_FILE: f',
      'VERBOSE Y',
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const before = lines.join('\n')
        const after = editStanza(before, 'home', [access, key])
        const others = (text: string): string[] =>
          text.split('\n').filter((it) => it !== '' && !/^(KEY|ACCESS)/.test(it) && it !== '[home]')
        assert.deepEqual(others(after), others(before))
        const rc = parseFwknoprc('rc', after)
        const settings = rc.ok ? rc.value.settings('home') : rc
        // Stanzas that are there twice, and lines before the first one, were refused before as well.
        if (settings.ok) assert.deepEqual(settings.value.access, [{ protocol: 'tcp', port: 22 }])
        else assert.match(settings.failure.code, /^CONFIG_(CONFLICT|SYNTAX)$/)
      }),
    )
  })
})

describe('a stanza goes, gets another name, or loses settings', () => {
  const file = '# top\n[a]\nKEY x\n# of a\nACCESS tcp/1 ; mine\n\n# of b\n[ B ]  # second\nKEY y\n'
  for (const [what, edited, expected] of [
    ['the first goes', removeStanza(file, 'A'), '# top\n\n# of b\n[ B ]  # second\nKEY y\n'],
    ['the last goes', removeStanza(file, 'b'), file.slice(0, file.indexOf('[ B ]'))],
    ['one gap is left', removeStanza('[a]\nKEY x\n\n[b]\nKEY y\n\n[c]\n', 'b'), '[a]\nKEY x\n\n[c]\n'],
    ['an empty one', removeStanza('[a]\n[b]\nKEY y\n', 'a'), '[b]\nKEY y\n'],
    ['none of this name', removeStanza(file, 'c'), file],
    ['another name', renameStanza(file, 'b', 'c$&'), file.replace('[ B ]', () => '[c$&]')],
    ['without a setting', dropSettings(file, 'a', ['ACCESS', 'ALLOW_IP']), file.replace('ACCESS tcp/1 ; mine\n', '')],
  ] as const)
    it(what, () => assert.equal(edited, expected))

  it('its settings as they are written', () => {
    const text = '[a]\nKEY: a=b#c\n HTTP_USER_AGENT  My agent; 1 \n# no\nACCESS\ttcp/1 # x\n[b]\nKEY y\n'
    assert.deepEqual(writtenSettings(text, 'a'), [
      { name: 'KEY', value: 'a=b' },
      { name: 'HTTP_USER_AGENT', value: 'My agent; 1' },
      { name: 'ACCESS', value: 'tcp/1' },
    ])
  })

  it('no text makes them throw, and a new name changes one line', () => {
    const lines = fc.array(
      fc.oneof(fc.constantFrom('[a]', '[b]', 'KEY x', '# c', '', ' ', 'ACCESS tcp/1'), fc.string()),
    )
    fc.assert(
      fc.property(lines, (all) => {
        const text = all.join('\n')
        writtenSettings(text, 'a')
        dropSettings(text, 'a', ['KEY'])
        const renamed = renameStanza(text, 'a', 'c')
        assert.equal(renamed.split('\n').length, text.split('\n').length)
        removeStanza(text, 'a')
      }),
    )
  })
})
