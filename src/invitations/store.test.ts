/** Invitations on a real disk: once, in time, and nothing to read without the secret. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { must } from '../../test/support/results.ts'
import { parseStanzaName } from '../access/stanza-name.ts'
import { formatSecret } from '../packet/invitation-secret.ts'
import { draftOf } from '../system/drafts.ts'
import { unixSeconds } from '../units.ts'
import { formatLink, formatSealed, newSecret, parseSealed, parseSecret, proofHash, seal, unseal } from './secret.ts'
import { addInvitation, cancelInvitations, claimInvitation, listInvitations, MOST_OPEN } from './store.ts'

const PROFILE = 'ghostport://profile/1?name=office&key=c2VjcmV0'
const ada = must(parseStanzaName('ada'))
const now = unixSeconds(1_795_000_000)
const later = (by: number) => unixSeconds(now + by)

let top = ''
let folder = ''
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'ghostport-invitations-'))
  folder = join(top, 'state/invitations')
})
afterEach(() => rmSync(top, { recursive: true, force: true }))

const add = (secret = newSecret(), until = later(900)) => {
  must(addInvitation(folder, secret, { user: ada, made: now, sealed: seal(secret, PROFILE, until) }))
  return secret
}
const code = (result: { ok: true } | { ok: false; failure: { code: string } }) =>
  result.ok ? 'ok' : result.failure.code

describe('the secret of an invitation', () => {
  it('comes back from the link, and as somebody types it', () => {
    const secret = newSecret()
    for (const text of [formatLink(secret), formatSecret(secret), ` ${formatSecret(secret).toUpperCase()}\r\n`])
      assert.deepEqual(must(parseSecret(text)), secret)
    assert.match(formatLink(secret), /^ghostport:\/\/invite\/1#([0-9a-f]{4}-){7}[0-9a-f]{4}$/)
  })

  it('any text is refused or is the secret, and no text of it is in the refusal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 9000 })), (text) => {
        for (const parsed of [parseSecret(text), parseSealed(text)])
          if (!parsed.ok) assert.equal(parsed.failure.code, 'INVITATION_INVALID')
      }),
    )
  })

  it('opens what it sealed. Another secret, another end, or one other bit does not', () => {
    const secret = newSecret()
    const sealed = must(parseSealed(`${formatSealed(seal(secret, PROFILE, later(9)))}\n`))
    assert.equal(must(unseal(secret, sealed)), PROFILE)
    assert.ok(!unseal(newSecret(), sealed).ok)
    assert.ok(!unseal(secret, { ...sealed, until: later(10_000) }).ok)
    const bytes = Buffer.from(sealed.data, 'base64url')
    for (let i = 0; i < bytes.length * 8; i += 7) {
      const other = Buffer.from(bytes)
      other[i >> 3] = (other[i >> 3] ?? 0) ^ (1 << (i & 7))
      assert.ok(!unseal(secret, { ...sealed, data: other.toString('base64url') }).ok)
    }
    for (let end = 0; end < bytes.length; end += 5)
      assert.ok(!unseal(secret, { ...sealed, data: bytes.subarray(0, end).toString('base64url') }).ok)
  })
})

describe('the invitations of a server', () => {
  it('hand a profile out once', () => {
    const secret = add()
    assert.deepEqual(must(claimInvitation(folder, secret, now)), { user: ada, text: PROFILE })
    assert.equal(code(claimInvitation(folder, secret, now)), 'INVITATION_ENDED')
    assert.deepEqual(
      must(listInvitations(folder, now)).map(({ user, state }) => [user, state]),
      [['ada', 'used']],
    )
  })

  it('come out although the sealed profile cannot be taken from the disk then', () => {
    const secret = add()
    const [name = ''] = readdirSync(folder)
    // Where the new file would be written.
    mkdirSync(draftOf(join(folder, name.replace('open', 'used'))))
    assert.equal(must(claimInvitation(folder, secret, now)).text, PROFILE)
    assert.equal(code(claimInvitation(folder, secret, now)), 'INVITATION_ENDED')
  })

  it('have no file that says anything without the secret, nor after its use', () => {
    const secret = add()
    const [name = ''] = readdirSync(folder)
    const file = join(folder, name)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const kept = readFileSync(file, 'utf8')
    assert.doesNotMatch(kept, /ghostport:|c2VjcmV0/)
    assert.ok(!kept.includes(formatSecret(secret).replaceAll('-', '')))
    must(claimInvitation(folder, secret, now))
    const after = readdirSync(folder).map((each) => readFileSync(join(folder, each), 'utf8'))
    assert.equal(after.length, 1)
    assert.doesNotMatch(after.join(), /"sealed"/)
  })

  it('end: at the second, for another secret, and when they are cancelled', () => {
    const secret = add()
    assert.equal(code(claimInvitation(folder, newSecret(), now)), 'INVITATION_ENDED')
    assert.equal(code(claimInvitation(folder, secret, later(900))), 'INVITATION_ENDED')
    assert.equal(must(listInvitations(folder, later(900)))[0]?.state, 'ended')
    assert.equal(must(cancelInvitations(folder, ada, now)), 1)
    assert.equal(code(claimInvitation(folder, secret, now)), 'INVITATION_ENDED')
    assert.equal(must(cancelInvitations(folder, ada, now)), 0)
  })

  it(`are ${MOST_OPEN} at most. Those that ended make room, and are forgotten after 30 days`, () => {
    for (let i = 0; i < MOST_OPEN; i++) add()
    const again = (made: typeof now) => {
      const secret = newSecret()
      return addInvitation(folder, secret, { user: ada, made, sealed: seal(secret, PROFILE, unixSeconds(made + 9)) })
    }
    assert.equal(code(again(now)), 'INVITATIONS_FULL')
    must(again(later(900)))
    assert.equal(readdirSync(folder).length, MOST_OPEN + 1)
    must(again(later(900 + 31 * 86_400)))
    assert.equal(readdirSync(folder).length, 1)
  })

  it('are refused where others could change them; a damaged file is named', () => {
    const secret = add()
    const file = join(folder, readdirSync(folder)[0] ?? '')
    writeFileSync(file, '{"version":"1"}')
    const damaged = claimInvitation(folder, secret, now)
    assert.ok(!damaged.ok && damaged.failure.detail.includes(file))
    chmodSync(folder, 0o777)
    assert.equal(code(claimInvitation(folder, secret, now)), 'CONFIG_EXPOSED')
    assert.equal(code(listInvitations(folder, now)), 'CONFIG_EXPOSED')
  })

  it('a proof with the same name is not enough', () => {
    const secret = add()
    const file = join(folder, readdirSync(folder)[0] ?? '')
    const proof = proofHash(secret)
    writeFileSync(file, readFileSync(file, 'utf8').replace(proof, `${proof.slice(0, 16)}${'0'.repeat(48)}`))
    assert.equal(code(claimInvitation(folder, secret, now)), 'INVITATION_ENDED')
  })
})
