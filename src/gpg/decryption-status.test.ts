import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readDecryptionStatus } from './decryption-status.ts'

const SUBKEY = '1FDDCD755FDA721D0350E893AD8C10297F35D41F'
const PRIMARY = 'B992BCB0FC4825F8486E0822543BC485D7D734A0'
const decrypted = [
  'ENC_TO 7BF92A24D6B2839F 1 0',
  'DECRYPTION_KEY 1C24D9F42979F2302886D2787BF92A24D6B2839F A14C06CA9F7CD4E39178009CDCBF0FD82C9031C7 u',
  'BEGIN_DECRYPTION',
  'DECRYPTION_INFO 2 9 0',
  'PLAINTEXT 62 1795410748 ',
  'DECRYPTION_OKAY',
  'GOODMDC',
  'END_DECRYPTION',
]
const VALID = `VALIDSIG ${SUBKEY} 2026-11-23 1795410748 0 4 0 1 10 00 ${PRIMARY}`
const signed = (...lines: string[]) => [...decrypted.slice(0, 5), 'NEWSIG', ...lines, ...decrypted.slice(5)]
const good = signed('GOODSIG AD8C10297F35D41F somebody', VALID, 'TRUST_FULLY 0 pgp')
const text = (lines: readonly string[]) => lines.map((line) => `[GNUPG:] ${line}\n`).join('')

test('a signed message is told with the signer, the trust and the key that decrypted it', () => {
  const read = readDecryptionStatus(text(good), 0)
  assert(read.ok)
  assert.deepEqual(read.value.signature, {
    ...{ kind: 'verified', fingerprint: SUBKEY, primary: PRIMARY, state: 'good', isTrusted: true },
  })
  assert.deepEqual(read.value.decryptedBy, [
    '1C24D9F42979F2302886D2787BF92A24D6B2839F',
    'A14C06CA9F7CD4E39178009CDCBF0FD82C9031C7',
  ])
})

const signatures: [what: string, lines: readonly string[], exit: number, expected: object][] = [
  ['no signature', decrypted, 0, { kind: 'none' }],
  [
    'a key that nobody certified',
    signed('GOODSIG A b', VALID, 'TRUST_UNDEFINED 0 pgp'),
    0,
    { state: 'good', isTrusted: false },
  ],
  [
    'two kinds of trust',
    signed('GOODSIG A b', VALID, 'TRUST_NEVER 0 pgp', 'TRUST_FULLY 0 pgp'),
    0,
    { isTrusted: false },
  ],
  ['no trust', signed('GOODSIG A b', VALID), 0, { state: 'good', isTrusted: false }],
  ['a key that is never trusted', signed('GOODSIG A b', VALID, 'TRUST_NEVER 0 pgp'), 0, { isTrusted: false }],
  ['an expired key', signed('EXPKEYSIG A b', VALID, 'TRUST_FULLY 0 pgp'), 0, { state: 'key expired' }],
  ['a revoked key', signed('REVKEYSIG A b', VALID, 'TRUST_FULLY 0 pgp'), 2, { state: 'key revoked' }],
  ['an expired signature', signed('EXPSIG A b', VALID, 'TRUST_FULLY 0 pgp'), 2, { state: 'signature expired' }],
  ['a wrong signature', signed('BADSIG A b'), 1, { kind: 'unverified', why: 'the signature is wrong' }],
  [
    'a key that is not in the keyring',
    signed('ERRSIG AD8C10297F35D41F 1 10 00 1795410748 9 -', 'NO_PUBKEY AD8C10297F35D41F'),
    2,
    { kind: 'unverified', why: 'the public key is not in the keyring' },
  ],
  ['an unknown algorithm', signed('ERRSIG AD8C 99 10 00 17 4 -'), 2, { kind: 'unverified' }],
  [
    'two signatures',
    signed('GOODSIG A b', VALID, 'NEWSIG', 'GOODSIG A b', VALID, 'TRUST_FULLY'),
    0,
    { why: 'there are several signatures' },
  ],
  ['a signature without proof', signed('GOODSIG A b', 'TRUST_FULLY 0 pgp'), 0, { kind: 'unverified' }],
  ['a proof without result', signed(VALID, 'TRUST_FULLY 0 pgp'), 0, { kind: 'unverified' }],
  ['a signature that was begun', signed(), 0, { kind: 'unverified' }],
  ['lower case', signed('GOODSIG A b', VALID.replace(SUBKEY, SUBKEY.toLowerCase())), 0, { kind: 'unverified' }],
]
for (const [what, lines, exit, expected] of signatures)
  test(`signature: ${what}`, () => {
    const read = readDecryptionStatus(text(lines), exit)
    assert(read.ok, read.ok ? '' : read.failure.detail)
    assert.deepEqual({ ...read.value.signature, ...expected }, read.value.signature)
  })

const without = (word: string, lines: readonly string[] = good) => lines.filter((line) => !line.startsWith(word))
const refused: [what: string, lines: readonly string[], exit: number | null, detail: RegExp][] = [
  ['nothing', [], 0, /cannot decrypt/],
  ['a message without protection against changes', without('GOODMDC'), 0, /protection/],
  ['a changed message', [...without('GOODMDC'), 'BADMDC'], 2, /changed/],
  [
    'a message that failed at its end',
    [...decrypted.slice(0, 5), 'NODATA 3', 'DECRYPTION_FAILED'],
    2,
    /cannot decrypt/,
  ],
  ['two plaintexts', [...good, 'PLAINTEXT 62 1 '], 0, /one encrypted message/],
  ['two messages', [...good, ...decrypted], 0, /one encrypted message/],
  ['no plaintext', without('PLAINTEXT'), 0, /one encrypted message/],
  ['plaintext that was never encrypted', ['PLAINTEXT 62 1 ', 'NEWSIG', 'GOODSIG A b', VALID], 0, /cannot decrypt/],
  ['a message for another key', ['ENC_TO A 1 0', 'NO_SECKEY A', 'DECRYPTION_FAILED'], 2, /GPG_HOME_DIR/],
  ['a wrong passphrase', ['ERROR pkdecrypt_failed 67108875', 'DECRYPTION_FAILED'], 2, /GPG_DECRYPT_PW/],
  ['a missing passphrase', ['ERROR pkdecrypt_failed 67108949', 'DECRYPTION_FAILED'], 2, /none is set/],
  ['more data behind', [...good, 'UNEXPECTED 0'], 0, /one OpenPGP message/],
  ['a gpg that complains', good, 2, /status 2/],
  ['a gpg that was killed', good, null, /status null/],
]
for (const [what, lines, exit, detail] of refused)
  test(`refused: ${what}`, () => {
    const read = readDecryptionStatus(text(lines), exit)
    assert(!read.ok)
    assert.match(read.failure.detail, detail)
  })

test('text for people does not count', () => {
  const read = readDecryptionStatus(`gpg: ${text(good).replaceAll('\n[', '\ngpg: [')}`, 0)
  assert(!read.ok)
})

test('no text makes it throw, and none makes a signature without VALIDSIG', () => {
  const words = [
    'NEWSIG',
    'GOODSIG',
    'EXPSIG',
    'BADSIG',
    'ERRSIG',
    'TRUST_FULLY',
    ...decrypted,
    SUBKEY,
    PRIMARY,
    '\n',
    '',
  ]
  const line = fc.array(fc.oneof(fc.constantFrom(...words), fc.string()), { maxLength: 12 }).map((all) => all.join(' '))
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 0, max: 3 }), (lines, exit) => {
      const all = lines.map((it) => it.replaceAll('VALIDSIG', ''))
      const read = readDecryptionStatus(text(all), exit)
      assert(!read.ok || read.value.signature.kind !== 'verified')
    }),
  )
})

/** What gpg may say in place of a line, or besides it. */
const OTHER_LINES = [
  ...['BADSIG A b', 'ERRSIG A 1 10 00 1 9 -', 'EXPSIG A b', 'EXPKEYSIG A b', 'REVKEYSIG A b', 'NEWSIG', VALID],
  ...['GOODSIG A b', 'GOODSIG', 'VALIDSIG', `VALIDSIG ${PRIMARY} ${SUBKEY}`, 'TRUST_NEVER', 'TRUST_ULTIMATE', 'BADMDC'],
  ...['PLAINTEXT 62 1 ', 'DECRYPTION_FAILED', 'NODATA 3', 'UNEXPECTED 0', 'NO_SECKEY A', 'DECRYPTION_KEY A B C', ''],
]
/** Outputs that are nearly those of a good signature, in bytes. */
const nearlyGood = fc
  .tuple(
    fc.array(
      fc.record({
        at: fc.nat(good.length),
        remove: fc.nat(2),
        insert: fc.array(fc.oneof(fc.constantFrom(...good, ...OTHER_LINES), fc.string({ unit: 'binary' })), {
          maxLength: 2,
        }),
      }),
      { maxLength: 3 },
    ),
    fc.constantFrom('\n', '\n', '\n', '\r\n', '\r', '\0', '\n\n', ' \n', '\u0085', '\u2028'),
    fc.constantFrom('[GNUPG:] ', '[GNUPG:] ', '[GNUPG:] ', '[GNUPG:]', ' [GNUPG:] ', 'gpg: [GNUPG:] ', '[GNUPG:]  '),
    fc.record({ at: fc.nat(2000), remove: fc.nat(40), insert: fc.string({ unit: 'binary', maxLength: 20 }) }),
    fc.boolean(),
  )
  .map(([edits, end, start, cut, isCut]) => {
    const lines = [...good]
    for (const { at, remove, insert } of edits) lines.splice(at, remove, ...insert)
    const whole = lines.map((line) => `${start}${line}${end}`).join('')
    return isCut ? whole.slice(0, cut.at) + cut.insert + whole.slice(cut.at + cut.remove) : whole
  })

/** A second look, by other means: whether these are the lines of one good signature in one whole message. */
function isReportedGood(status: string, exit: number | null): boolean {
  const count = (word: string) =>
    [...status.matchAll(new RegExp(`(?:^|\\n)\\[GNUPG:\\] ${word}(?=[ \\n]|$)`, 'g'))].length
  const once = ['GOODSIG', 'VALIDSIG', 'DECRYPTION_OKAY', 'GOODMDC', 'PLAINTEXT'].every((word) => count(word) === 1)
  const never = ['BADSIG', 'ERRSIG', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG', 'BADMDC', 'DECRYPTION_FAILED', 'UNEXPECTED']
  return exit === 0 && once && count('NEWSIG') <= 1 && never.every((word) => count(word) === 0)
}

test('no bytes make a good signature that gpg did not report, nor trust that it did not give', () => {
  const seen = { good: 0, bad: 0 }
  const arbitrary = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  const exits = fc.constantFrom(0, 0, 0, 1, 2, null)
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: nearlyGood }, { weight: 1, arbitrary }), exits, (status, exit) => {
      const read = readDecryptionStatus(status, exit)
      if (!read.ok || read.value.signature.kind !== 'verified') {
        seen.bad++
        return
      }
      const { state, fingerprint, primary, isTrusted } = read.value.signature
      if (state === 'good') assert(isReportedGood(status, exit), JSON.stringify(status))
      // The fingerprints are those of the one VALIDSIG, and what it says is on one line.
      assert.match(status, new RegExp(`\\[GNUPG:\\] VALIDSIG ${fingerprint} [^\\n]* ${primary}(?:[ \\n]|$)`))
      if (isTrusted) {
        assert.match(status, /\[GNUPG:\] TRUST_(?:MARGINAL|FULLY|ULTIMATE)(?:[ \n]|$)/)
        assert.doesNotMatch(status, /\n\[GNUPG:\] TRUST_(?:NEVER|UNDEFINED)/)
      }
      seen.good++
    }),
    { numRuns: 5000, examples: [[text(good), 0]] },
  )
  // Neither all of it nor nothing passes: the property looks at both sides.
  assert(seen.good > 100 && seen.bad > 100, JSON.stringify(seen))
})
