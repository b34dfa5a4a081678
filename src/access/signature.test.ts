import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkSignature,
  parseFingerprint,
  parseGnupgKeyId,
  type SignaturePolicy,
  type SignatureReport,
} from './signature.ts'

const fingerprint = parseFingerprint('1FDDCD755FDA721D0350E893AD8C10297F35D41F') ?? assert.fail()
const primary = parseFingerprint('B992BCB0FC4825F8486E0822543BC485D7D734A0') ?? assert.fail()
const other = parseFingerprint('A14C06CA9F7CD4E39178009CDCBF0FD82C9031C7') ?? assert.fail()
const id = (text: string) => parseGnupgKeyId(text) ?? assert.fail()
const good: SignatureReport = { kind: 'verified', fingerprint, primary, state: 'good', isTrusted: true }
const required = { kind: 'required', ignoresErrors: false } as const
const by = { ...required, fingerprints: [fingerprint] }

const cases: [what: string, policy: SignaturePolicy, report: SignatureReport, denied: RegExp | undefined][] = [
  ['the key that signs', by, good, undefined],
  ['its primary key', { ...required, fingerprints: [other, primary] }, good, undefined],
  ['another key', { ...required, fingerprints: [other] }, good, /not in the GPG_FINGERPRINT_ID list/],
  ['an id of 8 digits', { ...required, ids: [id('7F35D41F')] }, good, undefined],
  ['an id of 16 digits', { ...required, ids: [id('AD8C10297F35D41F')] }, good, undefined],
  ['the id of the primary key', { ...required, ids: [id('D7D734A0')] }, good, undefined],
  ['another id', { ...required, ids: [id('DEADBEEF')] }, good, /not in the GPG_REMOTE_ID list/],
  ['both lists', { ...by, ids: [id('7F35D41F')] }, good, undefined],
  ['one list of two', { ...by, ids: [id('DEADBEEF')] }, good, /not in the GPG_REMOTE_ID list/],
  ['no signature', by, { kind: 'none' }, /not signed/],
  ['a wrong signature', by, { kind: 'unverified', why: 'the signature is wrong' }, /wrong/],
  ['a key that is not trusted', by, { ...good, isTrusted: false }, /does not trust the key B992/],
  ['an expired key', by, { ...good, state: 'key expired' }, /key expired/],
  ['a revoked key', by, { ...good, state: 'key revoked' }, /key revoked/],
  ['an error that is ignored', { ...by, ignoresErrors: true }, { ...good, state: 'key expired' }, undefined],
  ['a key without trust, ignored', { ...by, ignoresErrors: true }, { ...good, isTrusted: false }, undefined],
  [
    'a wrong signature, errors ignored',
    { ...by, ignoresErrors: true },
    { kind: 'unverified', why: 'the signature is wrong' },
    /wrong/,
  ],
  [
    'another key, errors ignored',
    { ...required, fingerprints: [other], ignoresErrors: true },
    { ...good, state: 'key expired' },
    /not in the GPG_FINGERPRINT_ID list/,
  ],
  ['no signature where none is needed', { kind: 'disabled' }, { kind: 'none' }, undefined],
]
for (const [what, policy, report, denied] of cases)
  test(`${what}: ${denied === undefined ? 'accepted' : 'denied'}`, () => {
    const result = checkSignature(policy, report)
    if (denied === undefined) assert.equal(result, undefined)
    else assert.match(result?.failure.detail ?? '', denied)
  })
