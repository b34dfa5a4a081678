/** The user's own files, on a real file system: system/user-file.ts, key-file.ts, keys.ts. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { FailureCode } from '../failure-codes.ts'
import { EncryptionKey, exposeKey, HmacKey } from '../packet/key.ts'
import { parseKeyText } from '../packet/key-text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { readSecretFile, readUserFile } from '../system/user-file.ts'
import { findEncryptionKey, findHmacKey } from './key-file.ts'
import { loadKeys } from './keys.ts'

const directory = mkdtempSync(join(tmpdir(), 'ghostport-files-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string, text: string, mode: number): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
function must<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.failure.detail)
  return result.value
}
function refused(result: Result<unknown>, code: FailureCode, detail: RegExp): Failure {
  assert.ok(!result.ok)
  assert.equal(result.failure.code, code)
  assert.match(result.failure.detail, detail)
  return result.failure
}

describe('a file of the user’s', () => {
  const root = process.geteuid?.() === 0
  it('that holds a secret is its owner’s alone', () => {
    assert.equal(must(readSecretFile(file('private', 'x', 0o600))), 'x')
    assert.equal(must(readSecretFile(file('read-only', 'x', 0o400))), 'x')
    for (const mode of [0o640, 0o604, 0o644]) {
      const path = file(`mode-${mode.toString(8)}`, 'x', mode)
      const failure = refused(readSecretFile(path), 'CONFIG_EXPOSED', /holds a key and can be read by others/)
      assert.equal(failure.suggestion, `chmod 600 ${path}`)
    }
  })
  it('that holds none may be read by others', () => {
    assert.deepEqual(must(readUserFile(file('public', 'x', 0o644))), { text: 'x', readableByOthers: true })
  })
  it('may not be written by others', () => {
    for (const mode of [0o620, 0o602, 0o666])
      refused(readUserFile(file(`mode-${mode.toString(8)}`, 'x', mode)), 'CONFIG_EXPOSED', /changed by others/)
  })
  it('that is missing is told from one that cannot be read', () => {
    assert.equal(must(readUserFile(join(directory, 'nowhere'))), undefined)
    refused(readSecretFile(join(directory, 'nowhere')), 'CONFIG_UNREADABLE', /no such file/)
    refused(readUserFile(directory), 'CONFIG_UNREADABLE', /not a regular file/)
    refused(readUserFile('/dev/null'), 'CONFIG_UNREADABLE', /not a regular file/)
  })
  it('may be a link to one, and is judged by what it leads to', () => {
    const link = join(directory, 'link')
    symlinkSync(file('target', 'x', 0o644), link)
    refused(readSecretFile(link), 'CONFIG_EXPOSED', /read by others/)
  })
  it('that is a named pipe is not waited for', () => {
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    refused(readUserFile(pipe), 'CONFIG_UNREADABLE', /not a regular file/)
  })
  it('belongs to the user, or to root', { skip: root ? false : 'only root can give files away' }, () => {
    const path = file('foreign', 'x', 0o600)
    chownSync(path, 65534, 65534)
    refused(readUserFile(path), 'CONFIG_EXPOSED', /belongs to user 65534, who could change it/)
  })
})

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
  ]
  for (const [text, expected] of understood) it(JSON.stringify(text), () => assert.equal(must(key(text)), expected))
  it('finds an IPv6 server', () => assert.equal(must(key('2001:db8::7: abc', '2001:db8::7')), 'abc'))
  it('finds the HMAC key of a key-gen file', () => {
    const found = must(findHmacKey('keys', 'KEY_BASE64: YWJj\nHMAC_KEY_BASE64: eHl6\n', 'host'))
    assert.equal(Buffer.from(exposeKey(found)).toString(), 'xyz')
  })
  const wrong: [string, FailureCode, number | undefined][] = [
    ['', 'KEY_MISSING', undefined],
    ['other: abc', 'KEY_MISSING', undefined],
    ['host: two words', 'CONFIG_SYNTAX', 1],
    ['\nhunter2', 'CONFIG_SYNTAX', 2],
    ['host: 123456789012345678901234567890123', 'KEY_INVALID', 1],
    ['KEY_BASE64: hunter2!', 'KEY_INVALID', 1],
    ['host: __CHANGEME__', 'KEY_INVALID', 1],
  ]
  for (const [text, code, line] of wrong)
    it(`${JSON.stringify(text)} is refused, and no word of it shown`, () => {
      const failure = refused(key(text), code, /./)
      assert.equal(failure.at?.line, line)
      assert.doesNotMatch(JSON.stringify(failure), /hunter2|two words|1234/)
    })
})

describe('the keys of a knock', () => {
  const encryptionKey = { key: must(parseKeyText(EncryptionKey, 'e')) }
  const hmacKey = { key: must(parseKeyText(HmacKey, 'h')) }
  const asked: string[] = []
  const ask = async (what: string) => {
    asked.push(what)
    return ok(Buffer.from('typed'))
  }
  it('come from the settings', async () => {
    const keys = must(
      await loadKeys({ encryptionKey, hmacKey, encryptionMode: 'CTR', hmacDigestType: 'sha512' }, 'host', ask),
    )
    assert.deepEqual(
      [keys.encryption, keys.hmac],
      [
        { ...encryptionKey, mode: 'CTR' },
        { ...hmacKey, type: 'sha512' },
      ],
    )
    assert.deepEqual(asked, [])
  })
  it('are asked for where they are missing and wanted', async () => {
    const keys = must(await loadKeys({ hmacDigestType: 'md5' }, 'host', ask))
    assert.equal(Buffer.from(exposeKey(keys.encryption.key)).toString(), 'typed')
    assert.equal(keys.hmac?.type, 'md5')
    assert.deepEqual(asked.splice(0), ['Encryption key for host', 'HMAC key for host'])
  })
  it('are one where no HMAC is wanted', async () => {
    assert.equal(must(await loadKeys({ encryptionKey }, 'host', ask)).hmac, undefined)
  })
  it('come from files', async () => {
    const path = file('both', 'KEY: a\nHMAC_KEY: b\n', 0o600)
    const keys = must(await loadKeys({ encryptionKey: { file: path }, hmacKey: { file: path } }, 'host', ask))
    assert.ok(keys.hmac)
    refused(
      await loadKeys({ encryptionKey: { file: file('open', 'KEY: a', 0o644) } }, 'host', ask),
      'CONFIG_EXPOSED',
      /chmod|others/,
    )
    refused(await loadKeys({ encryptionKey: { file: '/nowhere' } }, 'host', ask), 'CONFIG_UNREADABLE', /\/nowhere/)
  })
  it('know no HMAC in mode legacy', async () => {
    refused(
      await loadKeys({ encryptionKey, hmacKey, encryptionMode: 'legacy' }, 'host', ask),
      'CONFIG_CONFLICT',
      /legacy/,
    )
  })
  it('are refused as the asking is', async () => {
    refused(await loadKeys({}, 'host', async () => refuse('KEY_MISSING', 'no terminal')), 'KEY_MISSING', /no terminal/)
  })
})
