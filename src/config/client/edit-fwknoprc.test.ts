import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { editStanza, overwrittenKeys, type RcChange } from './edit-fwknoprc.ts'
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
