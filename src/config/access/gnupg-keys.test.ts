import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gnupgOf } from '../../access/stanza.ts'
import { filesFromSnapshot } from '../reading/config-files.ts'
import { parseAccessConf } from './parse-access-conf.ts'

const FPR = '1FDDCD755FDA721D0350E893AD8C10297F35D41F'
const parse = (...lines: string[]) =>
  parseAccessConf(
    '/a.conf',
    filesFromSnapshot({ texts: { '/a.conf': ['SOURCE ANY', ...lines, ''].join('\n') }, folders: {}, failures: {} }),
    { home: '/keys', program: '/bin/gpg' },
  )
const stanzaOf = (...lines: string[]) => {
  const parsed = parse(...lines)
  assert(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  const [stanza] = parsed.value.stanzas
  assert(stanza !== undefined)
  return { stanza, notices: parsed.value.notices.map(({ text }) => text).join('\n') }
}

test('a stanza without KEY is for GnuPG alone, with the keyring of fwknopd.conf', () => {
  const { stanza } = stanzaOf('GPG_ALLOW_NO_PW Y', `GPG_FINGERPRINT_ID ${FPR}`, 'HMAC_KEY k')
  assert.deepEqual(stanza.encryption, {
    ...{ kind: 'gnupg', home: '/keys', program: '/bin/gpg' },
    signature: { kind: 'required', ignoresErrors: false, fingerprints: [FPR] },
  })
  assert.equal(stanza.alsoGnupg, undefined)
})

test('a stanza may have both', () => {
  const { stanza } = stanzaOf('KEY a', 'GPG_DECRYPT_PW p w', 'GPG_HOME_DIR /x', `GPG_REMOTE_ID ${FPR.slice(-16)}`)
  assert.equal(stanza.encryption.kind, 'symmetric')
  assert.equal(gnupgOf(stanza)?.home, '/x')
  assert.equal(String(gnupgOf(stanza)?.passphrase), '[secret]')
})

for (const [value, names] of [
  ['spa@server.example', ['spa@server.example']],
  ['12341234, DEADBEEF, 0x361BBAD4,DEADBEEF', ['12341234', 'DEADBEEF', '0x361BBAD4']],
  [`${FPR},spa@server.example`, [FPR, 'spa@server.example']],
  ['Doe, John (SPA)', ['Doe, John (SPA)']],
  ['Doe, spa@server.example', ['Doe, spa@server.example']],
] as const)
  test(`GPG_DECRYPT_ID ${value} names ${names.length} keys`, () => {
    const { stanza } = stanzaOf('GPG_ALLOW_NO_PW Y', 'GPG_DISABLE_SIG Y', `GPG_DECRYPT_ID ${value}`)
    assert.deepEqual(gnupgOf(stanza)?.decryptIds, names)
  })

const policies: [lines: string[], kind: string, notice: RegExp][] = [
  [['GPG_DISABLE_SIG Y'], 'disabled', /everybody who has the server’s public key/],
  [['GPG_DISABLE_SIG Y', 'GPG_REQUIRE_SIG Y', `GPG_FINGERPRINT_ID ${FPR}`], 'required', /are both set: signatures are/],
  [['GPG_REQUIRE_SIG N', `GPG_FINGERPRINT_ID ${FPR}`], 'required', /no effect without GPG_DISABLE_SIG Y/],
  [['GPG_DISABLE_SIG Y', `GPG_FINGERPRINT_ID ${FPR}`], 'disabled', /the signers are not checked/],
  [['GPG_REMOTE_ID 7F35D41F'], 'required', /8 digits/],
  [[`GPG_FINGERPRINT_ID ${FPR}`, 'GPG_IGNORE_SIG_VERIFY_ERROR Y'], 'required', /expired, revoked or not trusted/],
]
for (const [lines, kind, notice] of policies)
  test(`${lines.join(', ')}: ${kind}, with a word about it`, () => {
    const { stanza, notices } = stanzaOf('GPG_ALLOW_NO_PW Y', ...lines)
    assert.equal(gnupgOf(stanza)?.signature.kind, kind)
    assert.match(notices, notice)
  })

test('GPG_ settings beside a symmetric key, without a word about passphrases, have no effect, which is said', () => {
  const { stanza, notices } = stanzaOf('KEY a', `GPG_REMOTE_ID ${FPR.slice(-16)}`)
  assert.equal(gnupgOf(stanza), undefined)
  assert.match(notices, /no effect without GPG_DECRYPT_PW/)
})

const refused: [lines: string[], code: string, detail: RegExp, suggestion?: string][] = [
  [['GPG_ALLOW_NO_PW Y'], 'CONFIG_MISSING_KEY', /who may sign/, 'GPG_FINGERPRINT_ID …'],
  [[`GPG_FINGERPRINT_ID ${FPR}`], 'CONFIG_MISSING_KEY', /no effect without GPG_DECRYPT_PW/, 'GPG_ALLOW_NO_PW Y'],
  [['KEY a', 'ENCRYPTION_MODE asymmetric'], 'CONFIG_MISSING_KEY', /ENCRYPTION_MODE/, 'GPG_ALLOW_NO_PW Y'],
  [['GPG_FINGERPRINT_ID 1FDD'], 'CONFIG_INVALID_VALUE', /“1FDD” is not a fingerprint/],
  [[`GPG_FINGERPRINT_ID ${FPR.toLowerCase()}`], 'CONFIG_INVALID_VALUE', /not a fingerprint/, FPR],
  [['GPG_FINGERPRINT_ID 1FDD CD75 5FDA 721D 0350  E893 AD8C 1029 7F35 D41F'], 'CONFIG_INVALID_VALUE', /./, FPR],
  [['GPG_REMOTE_ID 0x7f35d41f'], 'CONFIG_INVALID_VALUE', /not the id/, '7F35D41F'],
  [['GPG_REMOTE_ID A,B'], 'CONFIG_INVALID_VALUE', /“A” is not the id/],
  [['GPG_HOME_DIR keys'], 'CONFIG_INVALID_VALUE', /absolute path/],
  [['HMAC_KEY p', 'GPG_DECRYPT_PW p', `GPG_FINGERPRINT_ID ${FPR}`], 'CONFIG_CONFLICT', /two different secrets/],
]
for (const [lines, code, detail, suggestion] of refused)
  test(`${lines.join(', ')}: ${code}`, () => {
    const parsed = parse(...lines)
    assert(!parsed.ok)
    assert.equal(parsed.failure.code, code)
    assert.match(parsed.failure.detail, detail)
    assert.equal(parsed.failure.suggestion, suggestion)
  })

test('no message shows the passphrase', () => {
  const parsed = parse('GPG_DECRYPT_PW hunter2', 'GPG_DECRYPT_PW hunter2')
  assert(!parsed.ok)
  assert.doesNotMatch(JSON.stringify(parsed), /hunter2/)
})
