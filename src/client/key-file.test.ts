import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { must } from '../../test/support/results.ts'
import type { FailureCode } from '../failure-codes.ts'
import { exposeKey } from '../packet/key.ts'
import { ok, type Result } from '../result.ts'
import { findEncryptionKey, findHmacKey, findPassphrase } from './key-file.ts'

describe('a key file', () => {
  const key = (text: string, server = 'host'): Result<string> => {
    const found = findEncryptionKey('keys', text, server)
    return found.ok ? ok(Buffer.from(exposeKey(found.value)).toString()) : found
  }
  const understood: [string, string][] = [
    ['host: abc', 'abc'],
    ['host:abc', 'abc'],
    ['host abc', 'abc'],
    ['HOST: abc', 'abc'],
    ['# comment\n\nother: no\nhost: abc\nhost: later', 'abc'],
    ['KEY_BASE64: YWJj\nHMAC_KEY_BASE64: eHl6\n', 'abc'],
    ['KEY abc', 'abc'],
    ['host: a:b', 'a:b'],
    ['host: two words', 'two words'],
  ]
  for (const [text, expected] of understood) it(JSON.stringify(text), () => assert.equal(must(key(text)), expected))
  it('finds an IPv6 server', () => assert.equal(must(key('2001:db8::7: abc', '2001:db8::7')), 'abc'))
  it('finds the HMAC key of a key-gen file', () => {
    const found = must(findHmacKey('keys', 'KEY_BASE64: YWJj\nHMAC_KEY_BASE64: eHl6\n', 'host'))
    assert.equal(Buffer.from(exposeKey(found)).toString(), 'xyz')
  })
  it('finds the passphrase of a GnuPG key', () => {
    for (const text of ['host: a long passphrase', 'KEY_BASE64: YWJj\nGPG_SIGNING_PW_BASE64: YSBsb25nIHBhc3NwaHJhc2U='])
      assert.equal(Buffer.from(exposeKey(must(findPassphrase('keys', text, 'host')))).toString(), 'a long passphrase')
  })
  const wrong: [string, FailureCode, number | undefined][] = [
    ['', 'KEY_MISSING', undefined],
    ['other: abc', 'KEY_MISSING', undefined],
    ['host two words', 'CONFIG_SYNTAX', 1],
    ['other: two words', 'CONFIG_SYNTAX', 1],
    ['host:', 'CONFIG_SYNTAX', 1],
    ['\nhunter2', 'CONFIG_SYNTAX', 2],
    ['host: 123456789012345678901234567890123', 'KEY_INVALID', 1],
    ['KEY_BASE64: hunter2!', 'KEY_INVALID', 1],
    ['host: __CHANGEME__', 'KEY_INVALID', 1],
  ]
  for (const [text, code, line] of wrong)
    it(`${JSON.stringify(text)} is refused, and no word of it shown`, () => {
      const found = key(text)
      assert.ok(!found.ok)
      const { failure } = found
      assert.equal(failure.code, code)
      assert.equal(failure.at?.line, line)
      assert.doesNotMatch(JSON.stringify(failure), /hunter2|two words|1234/)
    })
})
