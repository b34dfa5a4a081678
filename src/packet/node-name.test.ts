import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNodeName } from './node-name.ts'

test('the name that was meant is told, unless the text may be a key', () => {
  const told = (text: string) => {
    const parsed = parseNodeName(text)
    return parsed.ok ? 'taken' : parsed.failure.suggestion
  }
  assert.equal(told('web-1'), 'taken')
  assert.equal(told('WEB-1'), 'web-1')
  for (const text of ['web_1', 'WEB', `Y${'0'.repeat(32)}`, 'abcde1ab-Cdefghi', 'abcde1abCdefgh', 'Ünter'])
    assert.equal(told(text), text === 'WEB' ? 'web' : undefined, text)
})
