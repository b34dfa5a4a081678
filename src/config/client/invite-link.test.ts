import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { must } from '../../../test/support/results.ts'
import type { InvitationSecret } from '../../packet/invitation-secret.ts'
import { formatInviteLink, isInviteLink, parseInviteLink } from './invite-link.ts'

const SECRET = Uint8Array.from({ length: 16 }, (_, at) => at) as InvitationSecret

describe('the link of an invitation', () => {
  it('is read as it is written', () => {
    const link = formatInviteLink({ secure: true, host: 'gate.example', port: 443 as never }, SECRET)
    assert.equal(link, 'https://gate.example/invite#0001-0203-0405-0607-0809-0a0b-0c0d-0e0f')
    assert.deepEqual(must(parseInviteLink(`  ${link}\n`)).secret, SECRET)
    assert.deepEqual(must(parseInviteLink('https://gate.example:8443/invite')).gateway.port, 8443)
    for (const [text, means, detail] of [
      ['https://gate.example/invite#12', true, /32 digits, and not 2/],
      ['https://gate.example/invite#xy', true, /digits 0 to 9/],
      ['http://gate.example/invite#00', true, /does not begin with https/],
      ['https://a@gate.example/invite#00', true, /does not begin with https/],
      ['https://gate.example/other#00', false, /https:\/\/HOST\/invite#SECRET/],
      ['ghostport://invite/1#00', false, /https:\/\/HOST\/invite#SECRET/],
    ] as const) {
      const read = parseInviteLink(text)
      assert.equal(isInviteLink(text), means, text)
      assert.ok(!read.ok && detail.test(read.failure.detail), JSON.stringify(read))
    }
  })

  it('is refused or read, and no text of it is in the refusal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 600 })), (text) => {
        for (const parsed of [parseInviteLink(text), parseInviteLink(`https://${text}/invite#${text}`)])
          if (!parsed.ok) assert.equal(parsed.failure.code, 'INVITATION_INVALID')
        isInviteLink(text)
      }),
    )
  })
})
