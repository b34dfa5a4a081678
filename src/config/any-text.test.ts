import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Result } from '../result.ts'
import { stanzaSettingNames } from './access/access-setting-names.ts'
import { parseAccessConf } from './access/parse-access-conf.ts'
import { filesFromSnapshot } from './reading/config-files.ts'
import { serverSettingNames } from './server/fwknopd-settings.ts'
import { parseFwknopdConf } from './server/parse-fwknopd-conf.ts'

/** Lines that are nearly right, among lines that are not. */
function texts(names: readonly string[], values: readonly string[]) {
  const value = fc.oneof(fc.constantFrom(...values), fc.string({ maxLength: 30 }))
  const line = fc.tuple(
    fc.constantFrom(...names),
    fc.constantFrom(' ', ': ', '=', '\t'),
    value,
    fc.constantFrom(';', '', ' ;'),
  )
  return fc
    .array(
      fc.oneof(
        line.map((parts) => parts.join('')),
        fc.string(),
      ),
      { maxLength: 12 },
    )
    .map((lines) => lines.join('\n'))
}

function assertUnderstoodOrPlaced(file: string, text: string, parsed: Result<unknown>): void {
  if (parsed.ok) return
  const { at, detail } = parsed.failure
  assert.equal(at?.file, file, detail)
  assert(at !== undefined && at.line >= 1 && at.line <= text.split('\n').length)
  assert(detail.length > 0)
}

test('any fwknopd.conf is understood, or refused with the line that is wrong', () => {
  const values = [
    'Y',
    'N',
    '1',
    'eth0',
    'tcp/22',
    '10.0.0.1',
    '$FWKNOP_RUN_DIR/x',
    '$X',
    'relay',
    'gate',
    'udp port 1',
    '80 decoy=reset',
  ]
  fc.assert(
    fc.property(texts(serverSettingNames, values), (text) =>
      assertUnderstoodOrPlaced('/f.conf', text, parseFwknopdConf('/f.conf', text)),
    ),
    { numRuns: 500 },
  )
})

test('any access.conf is understood, or refused with the line that is wrong', () => {
  const values = [
    'ANY',
    'Y',
    '30',
    'tcp/22',
    '10.0.0.0/8',
    '10.0.0.5 22',
    'CBC',
    'sha256',
    '01/02/2030',
    'local:22',
    '/a.conf',
    'f.conf',
  ]
  const names = [
    'SOURCE',
    'SOURCE',
    'KEY',
    'HMAC_KEY',
    '%include',
    '%include_keys',
    '%include_folder',
    ...stanzaSettingNames,
  ]
  fc.assert(
    fc.property(texts(names, values), (text) => {
      const files = filesFromSnapshot({ texts: { '/a.conf': text }, folders: {}, failures: {} })
      assertUnderstoodOrPlaced('/a.conf', text, parseAccessConf('/a.conf', files))
    }),
    { numRuns: 500 },
  )
})
