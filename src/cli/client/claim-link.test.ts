/** The key of the device, which a claim is good for, outlasts every answer but one. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { answering, WITHOUT_ANSWER } from '../../../test/support/raw-answers.ts'
import type { InvitationSecret } from '../../packet/invitation-secret.ts'
import { systemTerminal } from '../terminal/terminal.ts'
import { claimProfile } from './claim-link.ts'

const secret = new Uint8Array(16).fill(7) as InvitationSecret
const answer = (status: number): string => `HTTP/1.1 ${status} x\r\ncontent-length: 2\r\n\r\n{}`

describe('a claim that is not taken', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ghostport-claim-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const keys = (): readonly string[] =>
    readdirSync(folder).map((name) => `${name} ${readFileSync(join(folder, name), 'utf8')}`)
  async function claim(bytes: string): Promise<string> {
    await using server = await answering(bytes)
    const gateway = { secure: false, host: '127.0.0.1', port: server.at }
    const claimed = await claimProfile({ gateway }, { secret, rcFile: join(folder, 'rc') }, systemTerminal())
    return claimed.ok ? 'claimed' : claimed.failure.code
  }

  it('keeps the key: an earlier run may have claimed with it', async () => {
    assert.equal(await claim(answer(429)), 'GATEWAY_FAILED')
    const made = keys()
    assert.equal(made.length, 1)
    for (const status of [301, 400, 403, 404, 421, 429, 500, 502, 503, 504]) {
      assert.equal(await claim(answer(status)), 'GATEWAY_FAILED', `${status}`)
      assert.deepEqual(keys(), made, `${status}`)
    }
    for (const [does, bytes] of WITHOUT_ANSWER) {
      assert.equal(await claim(bytes), 'GATEWAY_FAILED', does)
      assert.deepEqual(keys(), made, does)
    }
  })

  it('removes it where the invitation is not good any more', async () => {
    assert.equal(await claim(answer(410)), 'INVITATION_ENDED')
    assert.deepEqual(keys(), [])
  })
})
