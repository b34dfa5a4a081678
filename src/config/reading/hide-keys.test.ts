import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Failure, type Result, refuse } from '../../result.ts'
import { stanzaSettingNames } from '../access/access-setting-names.ts'
import { parseAccessConf } from '../access/parse-access-conf.ts'
import { clientSettings } from '../client/fwknoprc-settings.ts'
import { parseFwknoprc } from '../client/parse-fwknoprc.ts'
import { serverSettingNames } from '../server/fwknopd-settings.ts'
import { parseFwknopdConf } from '../server/parse-fwknopd-conf.ts'
import { filesFromSnapshot } from './config-files.ts'
import { withoutSecrets } from './hide-keys.ts'

/**
 * Keys as people have them: base64 of 32 bytes, hex, a passphrase (but none in capitals with “_”, as variables are).
 */
const key = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  fc.stringMatching(/^[a-z]{5}[0-9][A-Za-z0-9!@$*_-]{8,12}$/),
  fc.stringMatching(/^[A-Z]{10,30}$/),
)

/** Values with a key in them, as slips of an editor make them. */
const slips: ((key: string) => string)[] = [
  (secret) => secret,
  (secret) => `KEY ${secret}`,
  (secret) => `tcp/${secret}`,
  (secret) => `tcp/22,${secret}`,
  (secret) => `tcp/22 ${secret}`,
  (secret) => `${secret}/24`,
  (secret) => `${secret}:22`,
  (secret) => `${secret} 22`,
  (secret) => `10.0.0.1:${secret}`,
  (secret) => `10.0.0.1 ${secret}`,
  (secret) => `[${secret}]:22`,
  (secret) => `“${secret}”`,
  (secret) => `a”${secret}`,
  (secret) => `$${secret}`,
  (secret) => `Y${secret}`,
]

/** Lines with a key in them. */
function lines(names: readonly string[]): fc.Arbitrary<(key: string) => string> {
  const value = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...slips))
  return fc.oneof(
    value.map(
      ([name, slip]) =>
        (secret: string) =>
          `${name} ${slip(secret)}`,
    ),
    fc.constantFrom(
      (secret: string) => secret,
      (secret: string) => `${secret}=`,
      (secret: string) => `${secret} Y`,
      (secret: string) => `${secret};`,
      (secret: string) => `KEY=${secret}`,
      (secret: string) => `KEY${secret}`,
      (secret: string) => `KEY abc; ${secret}`,
      (secret: string) => `[${secret}`,
      (secret: string) => `[x] ${secret}`,
      (secret: string) => `%${secret}`,
      (secret: string) => `%include ${secret}`,
      (secret: string) => `%include_folder ${secret}`,
      (secret: string) => `%include_keys ${secret}`,
    ),
  )
}

/** Not even eight characters of it. */
function assertHides(told: unknown, secret: string): void {
  const text = JSON.stringify(told) ?? ''
  for (let i = 0; i + 8 <= secret.length; i++) assert.ok(!text.includes(secret.slice(i, i + 8)), text)
}

function failureOf(result: Result<unknown>): unknown {
  return result.ok ? undefined : result.failure
}

const frames: ((line: string) => string)[] = [
  (line) => `${line}\nSOURCE ANY\nKEY abc\n`,
  (line) => `SOURCE ANY\n${line}\nKEY abc\n`,
  (line) => `SOURCE ANY\nKEY abc\n${line}\n`,
  (line) => `SOURCE ANY\n%include_keys keys.conf\n${line}\n`,
]

/**
 * A name is there to be told. What it may look like keeps keys in base64 and in hex out of it
 * (access/stanza-name.test.ts).
 */
const toldNothing = stanzaSettingNames.filter((name) => name !== 'NAME')

test('no failure or notice about access.conf tells a key that stands where it should not', () => {
  fc.assert(
    fc.property(key, lines(toldNothing), fc.constantFrom(...frames), (secret, line, frame) => {
      const texts = { '/etc/access.conf': frame(line(secret)), '/etc/keys.conf': 'KEY abc' }
      const parsed = parseAccessConf('/etc/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
      assertHides(parsed.ok ? parsed.value.notices : parsed.failure, secret)
    }),
    { numRuns: 2000 },
  )
})

test('nor does one about a NAME that is a key in base64 or in hex', () => {
  for (const encoding of ['base64', 'hex'] as const)
    for (const length of [15, 16, 24, 30, 32]) {
      const secret = Buffer.alloc(length, 'a key').toString(encoding)
      // 20 letters and digits are a name for all that anybody can tell.
      if (secret.length < 32 && !secret.endsWith('=')) continue
      for (const frame of frames) {
        const texts = { '/etc/access.conf': frame(`NAME ${secret}`), '/etc/keys.conf': 'KEY abc' }
        const parsed = parseAccessConf('/etc/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
        assert(!parsed.ok)
        assertHides(parsed.failure, secret)
      }
    }
})

test('nor about a file of keys', () => {
  fc.assert(
    fc.property(key, lines(stanzaSettingNames), (secret, line) => {
      const texts = { '/etc/access.conf': 'SOURCE ANY\n%include_keys keys.conf\n', '/etc/keys.conf': line(secret) }
      const parsed = parseAccessConf('/etc/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
      assertHides(parsed.ok ? parsed.value.notices : parsed.failure, secret)
    }),
    { numRuns: 1000 },
  )
})

test('nor about .fwknoprc', () => {
  fc.assert(
    fc.property(key, lines(Object.keys(clientSettings)), fc.boolean(), (secret, line, inside) => {
      const parsed = parseFwknoprc('rc', inside ? `[x]\n${line(secret)}\n` : `${line(secret)}\n[x]\n`)
      assertHides(failureOf(parsed.ok ? parsed.value.settings('x') : parsed), secret)
    }),
    { numRuns: 2000 },
  )
})

test('nor about a line of fwknopd.conf that names no setting', () => {
  fc.assert(
    fc.property(key, (secret) => {
      for (const text of [secret, `${secret}=`, `${secret} Y`, `KEY ${secret}`, `DIGEST_FILE $${secret}`])
        assertHides(failureOf(parseFwknopdConf('f.conf', text)), secret)
    }),
    { numRuns: 300 },
  )
})

const told: [what: string, line: string, says: RegExp][] = [
  ['a name that is near to a right one', 'open ports', /there is no variable open/],
  ['what looks like a variable', 'DATA_COLLECT_MODE PCAP', /there is no variable DATA_COLLECT_MODE/],
  ['a port', 'OPEN_PORTS tcp/65536', /“tcp\/65536”/],
  ['an address', 'DESTINATION 10.0.0.256', /“10\.0\.0\.256”/],
  ['a network of IPv6', 'DESTINATION 2001:db8::/129', /“2001:db8::\/129”/],
  ['a word that is near to a right one', 'HMAC_DIGEST_TYPE sha3-512', /“sha3-512”/],
  ['a number', 'FW_ACCESS_TIMEOUT 30s', /“30s”/],
  ['a date', 'ACCESS_EXPIRE 2030-12-31', /“2030-12-31”/],
  ['a path', '%include missing.conf', /\/etc\/missing\.conf/],
]
for (const [what, line, says] of told)
  test(`${what} is told`, () => {
    const texts = { '/etc/access.conf': `SOURCE ANY\nKEY abc\n${line}\n` }
    const parsed = parseAccessConf('/etc/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
    assert.ok(!parsed.ok)
    assert.match(parsed.failure.detail, says)
  })

test('a reader that tells too much is not passed on', () => {
  const { failure } = refuse('CONFIG_INVALID_VALUE', 'SEKRITpass is odd', { suggestion: 'SEKRITpass 22' })
  assert.deepEqual(withoutSecrets(failure, 'tcp/SEKRITpass'), {
    code: 'CONFIG_INVALID_VALUE',
    detail: 'it is not shown, since it may be a key',
  })
})

test('no message names a thing twice in a row', () => {
  const values = [
    'x',
    '0',
    'sesame-open',
    'tcp/1-65535',
    'tcp/x-y',
    '10.0.0.1:x',
    'x 22',
    '[x]:22',
    '1,,2',
    '=',
    'a:b:c',
    '010.0.0.1/33',
    '70000',
  ]
  const failures: Failure[] = []
  for (const value of values) {
    for (const name of stanzaSettingNames) {
      const texts = { '/a.conf': `SOURCE ANY\nKEY abc\n${name} ${value}\n` }
      const parsed = parseAccessConf('/a.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
      if (!parsed.ok) failures.push(parsed.failure)
    }
    for (const name of Object.keys(clientSettings)) {
      const parsed = parseFwknoprc('rc', `[x]\n${name} ${value}\n`)
      const settings = parsed.ok ? parsed.value.settings('x') : parsed
      if (!settings.ok) failures.push(settings.failure)
    }
    for (const name of serverSettingNames) {
      const parsed = parseFwknopdConf('f.conf', `${name} ${value}\n`)
      if (!parsed.ok) failures.push(parsed.failure)
    }
  }
  assert.ok(failures.length > 500)
  for (const { detail } of failures) {
    const parts = detail.split(': ')
    for (const [i, part] of parts.entries()) {
      const head = (text: string): string => text.split(' ').slice(0, 3).join(' ')
      assert.ok(i === 0 || head(part) !== head(parts[i - 1] ?? ''), detail)
    }
    assert.ok((detail.match(/“…”|the value/g) ?? []).length < 2, detail)
  }
})
