/** Passkeys: what is taken, and each thing that must not be. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Changed, SoftPasskey } from '../../test/support/passkey.ts'
import { milliseconds } from '../units.ts'
import {
  CHALLENGE_TIME,
  Challenges,
  judgeAssertion,
  judgeRegistration,
  readAssertion,
  readRegistration,
  siteOf,
} from './passkeys.ts'

const site = siteOf('Console.example:8443', true)
const asked = (challenge: string): boolean => challenge === 'asked'

function made(kind: 'ES256' | 'EdDSA' | 'RS256' = 'ES256') {
  const passkey = new SoftPasskey(site.origin, site.rpId, kind)
  const kept = judgeRegistration(passkey.register('asked'), site, asked)
  assert.ok(kept !== undefined)
  return { passkey, kept }
}

describe('passkeys', () => {
  it('belong to a name without a port', () => {
    assert.deepEqual(site, { origin: 'https://console.example:8443', rpId: 'console.example' })
    assert.deepEqual(siteOf('localhost:8622', false), { origin: 'http://localhost:8622', rpId: 'localhost' })
  })

  for (const kind of ['ES256', 'EdDSA', 'RS256'] as const)
    it(`${kind}: made, then used`, () => {
      const { passkey, kept } = made(kind)
      const { signature } = made(kind).passkey.use('asked')
      assert.equal(judgeAssertion({ ...passkey.use('asked'), signature }, kept, site, asked), undefined)
      assert.equal(kept.rpId, 'console.example')
      assert.equal(judgeAssertion(passkey.use('asked'), kept, site, asked), 2)
    })

  it('not made: of RSA with less than 2048 bits', () => {
    const weak = new SoftPasskey(site.origin, site.rpId, 'RS256', 1_024)
    assert.equal(judgeRegistration(weak.register('asked'), site, asked), undefined)
  })

  const changes: readonly (readonly [string, Changed])[] = [
    ['nobody there', { flags: 0x44 }],
    ['nobody verified', { flags: 0x41 }],
    ['another site', { rpId: 'evil.example' }],
    ['another origin', { origin: 'https://console.example' }],
    ['another kind of request', { type: 'payment.get' }],
    ['in a frame of another site', { crossOrigin: true }],
  ]
  for (const [what, changed] of changes) {
    it(`not made: ${what}`, () => {
      const passkey = new SoftPasskey(site.origin, site.rpId)
      assert.equal(judgeRegistration(passkey.register('asked', changed), site, asked), undefined)
    })
    it(`not used: ${what}`, () => {
      const { passkey, kept } = made()
      assert.equal(judgeAssertion(passkey.use('asked', changed), kept, site, asked), undefined)
    })
  }

  it('not made: without a credential, with another key, another id, another challenge', () => {
    const passkey = new SoftPasskey(site.origin, site.rpId)
    const other = new SoftPasskey(site.origin, site.rpId)
    const judge = (given: ReturnType<SoftPasskey['register']>) => judgeRegistration(given, site, asked)
    assert.equal(judge(passkey.register('asked', { flags: 0x05 })), undefined)
    assert.equal(judge(passkey.register('asked', {}, other.publicKey)), undefined)
    assert.equal(judge({ ...passkey.register('asked'), id: Buffer.from(other.id).toString('base64url') }), undefined)
    assert.equal(judge(passkey.register('not asked')), undefined)
    assert.equal(judge({ ...passkey.register('asked'), publicKeyAlgorithm: -257 }), undefined)
  })

  it('not used: another passkey, another challenge, a changed signature, a counter that does not grow', () => {
    const { passkey, kept } = made()
    const other = made()
    const judge = (given: ReturnType<SoftPasskey['use']>, from = kept) => judgeAssertion(given, from, site, asked)
    assert.equal(judge(passkey.use('asked'), other.kept), undefined)
    assert.equal(judge({ ...other.passkey.use('asked'), id: kept.id }), undefined)
    assert.equal(judge(passkey.use('not asked')), undefined)
    const good = passkey.use('asked')
    assert.equal(judge({ ...good, signature: `${good.signature.slice(0, -4)}AAAA` }), undefined)
    assert.equal(
      judge({ ...good, authenticatorData: passkey.use('asked', { counter: 99 }).authenticatorData }),
      undefined,
    )
    assert.equal(judge(passkey.use('asked', { counter: 7 }), { ...kept, counter: 7 }), undefined)
    assert.equal(judge(passkey.use('asked', { counter: 8 }), { ...kept, counter: 7 }), 8)
    // An authenticator that does not count.
    assert.equal(judge(passkey.use('asked', { counter: 0 })), 0)
  })

  it('nothing that a browser sends makes them throw', () => {
    const words = fc.oneof(fc.base64String(), fc.string(), fc.constant(made().kept.publicKey))
    const given = fc.record({
      ...{ id: words, authenticatorData: words, clientDataJSON: words, signature: words },
      ...{ attestationObject: words, publicKey: words, publicKeyAlgorithm: fc.integer() },
    })
    const { kept } = made()
    fc.assert(
      fc.property(given, ({ id, authenticatorData, clientDataJSON, signature, ...more }) => {
        const assertion = readAssertion({ id, authenticatorData, clientDataJSON, signature })
        if (assertion !== undefined)
          assert.equal(
            judgeAssertion(assertion, kept, site, () => true),
            undefined,
          )
        const registration = readRegistration({ id, clientDataJSON, ...more })
        if (registration !== undefined)
          assert.equal(
            judgeRegistration(registration, site, () => true),
            undefined,
          )
      }),
    )
  })

  it('a challenge is good once, for one use, one account and two minutes', () => {
    const challenges = new Challenges()
    const use = { use: 'step-up', account: 'a' } as const
    const now = milliseconds(1_000)
    const { id, challenge } = challenges.issue(use, now)
    assert.equal(challenges.take(id, challenge, { ...use, account: 'b' }, now), false)
    assert.equal(challenges.take(id, challenge, { ...use, use: 'login' }, now), false)
    assert.equal(challenges.take(id, `${challenge}x`, use, now), false)
    assert.equal(challenges.take('x', challenge, use, now), false)
    assert.equal(challenges.take(id, challenge, use, milliseconds(1_001 + CHALLENGE_TIME)), false)
    assert.equal(challenges.take(id, challenge, use, now), true)
    assert.equal(challenges.take(id, challenge, use, now), false)
    assert.equal(new Challenges().take(id, challenge, use, now), false)
  })
})
