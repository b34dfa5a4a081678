import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { changedLines, withoutSecret } from './changed-lines.ts'

const one = (text: string) => new Map([['/etc/fwknop/access.conf', text]])

test('what went and what came, in any order, and nothing else', () => {
  const before = 'SOURCE ANY\nNAME ada\nFW_ACCESS_TIMEOUT 30\n\nSOURCE ANY\nNAME bob\n'
  const after = 'SOURCE ANY\nNAME bob\n\nSOURCE ANY\nFW_ACCESS_TIMEOUT   60;\nNAME ada\nSOURCE ANY\n'
  assert.deepEqual(changedLines(one(before), one(after)), {
    before: ['FW_ACCESS_TIMEOUT 30'],
    after: ['FW_ACCESS_TIMEOUT 60;', 'SOURCE ANY'],
  })
})

test('a change of keys is seen, and no key', () => {
  const changed = changedLines(one('NAME ada\nKEY_BASE64 b25l\n'), one('NAME ada\nKEY_BASE64 dHdv\n'))
  assert.deepEqual(changed, { before: ['KEY_BASE64 [secret]'], after: ['KEY_BASE64 [secret]'] })
})

test('files that came and went are named', () => {
  const changed = changedLines(new Map([['/a', 'NAME a']]), new Map([['/b', 'NAME b']]))
  assert.deepEqual(changed, { before: ['/a: NAME a'], after: ['/b: NAME b'] })
})

const lines: readonly (readonly [string, string])[] = [
  ['KEY secret', 'KEY [secret]'],
  ['  HMAC_KEY_BASE64:\tc2VjcmV0', 'HMAC_KEY_BASE64 [secret]'],
  ['GPG_DECRYPT_PW secret', 'GPG_DECRYPT_PW [secret]'],
  ['WEBHOOK_URL https://me:secret@example.net/;', 'WEBHOOK_URL [secret]'],
  ['# KEY secret', '# [a comment]'],
  ['#KEY secret', '# [a comment]'],
  ['# any secret', '# [a comment]'],
  ['KEYS secret', '[a line that is not shown]'],
  ['secret', '[a line that is not shown]'],
  ['KEY_BASE64=secret', 'KEY_BASE64 [secret]'],
  ['HMACKEY secret', '[a line that is not shown]'],
  ['# ghostport: disabled. Before: ACCESS_EXPIRE 1/2/2027', '# ghostport: disabled. Before: ACCESS_EXPIRE 1/2/2027'],
  ['%include /etc/fwknop/more.conf', '%INCLUDE /etc/fwknop/more.conf'],
  ['open_ports tcp/22', 'OPEN_PORTS tcp/22'],
]
for (const [line, shown] of lines) test(`shown: ${line}`, () => assert.equal(withoutSecret(line), shown))

test('a key is never shown, whatever is around it', () => {
  const secret = 'c2VjcmV0c2VjcmV0'
  const names = fc.constantFrom('KEY', 'KEY_BASE64', 'HMAC_KEY', 'HMAC_KEY_BASE64', 'GPG_DECRYPT_PW')
  const around = fc.string({ unit: fc.constantFrom(' ', '\t', ':', ';', '#', '=', 'x', '\r'), maxLength: 4 })
  fc.assert(
    fc.property(around, names, around, (before, name, between) => {
      const shown = withoutSecret(`${before}${name}${between}${secret}`)
      assert.ok(!shown.includes(secret), shown)
    }),
    { numRuns: 2000 },
  )
})
